"""All checks side by side, each with a deadline of its own: what hangs becomes a finding, and holds up nobody else."""

from __future__ import annotations

import os
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings
from app.doctor.broker import look_at_broker
from app.doctor.collector import look_at_collector
from app.doctor.database import look_at_database
from app.doctor.files import look_at_disk, look_at_files
from app.doctor.mail import look_at_mail
from app.doctor.settings import judge_secrets, judge_settings
from app.doctor.web import judge_proxies, look_at_vendors, look_at_web
from app.safety.collector import ENDPOINT, HEADERS
from app.safety.files import keep_private
from app.safety.findings import Finding, bad, notice

SECONDS = 10.0
"""How long one check may take altogether; the waits inside it (connect, answer) are shorter."""


@dataclass(frozen=True)
class Check:
    """`name` begins the codes of what goes wrong with the check itself. `needs`: variables without which, or with a
    refused value of which, it is not made: a password must not travel where the service itself would not send it."""

    name: str
    label: str
    work: Callable[[Settings], Iterable[Finding]]
    needs: frozenset[str] = frozenset()
    seconds: float = SECONDS


CHECKS = (
    Check("secrets", "秘密の値", judge_secrets),
    Check("files", "ファイルの権限", look_at_files, frozenset({"DATA_DIR"})),
    Check("disk", "ディスクの空き", look_at_disk),
    Check("database", "データベース", look_at_database, frozenset({"DATABASE_URL"})),
    Check("broker", "ブローカー", look_at_broker, frozenset({"REDIS_URL"})),
    Check("mail", "メールサーバー", look_at_mail, frozenset({"SMTP_URL"})),
    Check("collector", "収集先(OTLP)", look_at_collector, frozenset({ENDPOINT, HEADERS})),
    Check("web", "web プロセス", look_at_web, frozenset({"BIND", "PORT"})),
    Check("proxies", "プロキシ", judge_proxies, frozenset({"TRUSTED_PROXIES"})),
)
VENDORS = Check(
    "vendors", "SmartHR と freee", look_at_vendors, frozenset({"SMARTHR_URL", "FREEE_API_URL", "FREEE_ACCOUNTS_URL"})
)


def diagnose(
    env: Mapping[str, str] | None = None, *, vendors: bool = False, checks: Iterable[Check] = CHECKS
) -> list[Finding]:
    """Every finding, in the order of the checks. Never waits longer than the longest deadline of a check."""
    keep_private()
    settings, faults = Settings.examine(env)
    env = os.environ if env is None else env
    wrong = frozenset(fault.variable for fault in faults)
    chosen = (*checks, *((VENDORS,) if vendors else ()))
    begun = [(check, None if check.needs & wrong else _begin(check, settings)) for check in chosen]
    end = time.monotonic()
    findings = list(judge_settings(settings, faults, env))
    for check, answers in begun:
        findings += _unmade(check, wrong) if answers is None else _taken(check, answers, until=end + check.seconds)
    return findings


def _begin(check: Check, settings: Settings) -> queue.Queue[list[Finding]]:
    """Start the check in a thread that the process does not wait for: a name server may keep it for minutes."""
    answers: queue.Queue[list[Finding]] = queue.Queue()

    def work() -> None:
        try:
            answers.put(list(check.work(settings)))
        except Exception as error:  # noqa: BLE001 - a bug in one check hides no other finding
            answers.put([_failed(check, error)])

    threading.Thread(target=work, name=f"doctor {check.name}", daemon=True).start()
    return answers


def _taken(check: Check, answers: queue.Queue[list[Finding]], *, until: float) -> list[Finding]:
    try:
        return answers.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        return [
            bad(
                f"{check.name}_timeout",
                f"{check.label}が {check.seconds:.0f} 秒以内に確かめられません。",
                "相手が動いているか、途中の経路が遮られていないかを確認してください。",
            )
        ]


def _unmade(check: Check, wrong: frozenset[str]) -> list[Finding]:
    names = "、".join(sorted(check.needs & wrong))
    return [
        notice(
            f"{check.name}_unchecked",
            f"{check.label}は、{names} が拒まれる値なので確かめていません。",
            "設定を直してから、もう一度確かめてください。",
        )
    ]


def _failed(check: Check, error: Exception) -> Finding:
    """A bug of ours by its type and place: its text may quote a password."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return bad(
        f"{check.name}_failed",
        f"{check.label}を確かめる途中で、Awase の誤りが起きました"
        f"({type(error).__name__} {Path(place.filename).name}:{place.lineno})。",
        "この行を開発者に知らせてください。",
    )
