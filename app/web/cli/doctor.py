"""flask doctor: everything around the service that is wrong, told at once, also when it cannot start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol

import click

from app.logs import configure_logging
from app.safety.findings import Finding, Level
from app.web.cli.exit_codes import DONE, FAILED


class Diagnose(Protocol):
    """Looks at everything; with `vendors` also asks whether SmartHR and freee answer."""

    def __call__(self, *, vendors: bool) -> list[Finding]: ...


def doctor_command(diagnose: Diagnose) -> click.Command:
    @click.command("doctor")
    @click.option("--json", "as_json", is_flag=True, help="JSON で出力する")
    @click.option("--vendors", is_flag=True, help="SmartHR と freee にも接続してみる(ログインはしない)")
    def doctor(as_json: bool, vendors: bool) -> None:
        """設定、ファイル、時計、データベース、ブローカー、メールなどを一度に確かめる。異常があれば 1 で終わる"""
        configure_logging("CRITICAL")  # what a part says of its own trouble is one of the findings
        findings = diagnose(vendors=vendors)
        click.echo(_json(findings) if as_json else _text(findings))
        raise SystemExit(FAILED if _count(findings, Level.BAD) else DONE)

    return doctor


def _json(findings: Sequence[Finding]) -> str:
    told = {"ok": not _count(findings, Level.BAD), "findings": [asdict(each) for each in findings]}
    return json.dumps(told, ensure_ascii=False, indent=2)


def _text(findings: Sequence[Finding]) -> str:
    lines = [line for each in findings for line in _lines(each)]
    bad, notices = _count(findings, Level.BAD), _count(findings, Level.NOTICE)
    return "\n".join([*lines, f"異常 {bad} 件、注意 {notices} 件、ok {_count(findings, Level.OK)} 件"])


def _lines(finding: Finding) -> list[str]:
    first = f"{finding.level.label}\t{finding.sentence} [{finding.code}]"
    return [first, f"\t対処: {finding.remedy}"] if finding.remedy else [first]


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(each.level is level for each in findings)
