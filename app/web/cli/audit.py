"""flask audit: checks the chain of the audit trail, and writes it as a file."""

from __future__ import annotations

import re
from datetime import date, datetime

import click
from flask.cli import AppGroup

from app.use_cases.monitoring.audit_check import check_audit
from app.use_cases.queries.audit_export import Format, begin_export, lines_of
from app.web.cli.exit_codes import DONE, FAILED
from app.web.current import current_context
from app.web.i18n import DEFAULT, catalogue, wording

audit = AppGroup("audit", help="操作記録")

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_Day = click.DateTime(formats=["%Y-%m-%d"])


def _noted(_ctx: click.Context, _parameter: click.Parameter, given: str | None) -> tuple[int, str] | None:
    match = _HEAD.fullmatch(given or "")
    if given is not None and match is None:
        raise click.BadParameter("番号:ダイジェスト の形で指定してください。")
    return (int(match[1]), match[2]) if match else None


@audit.command("verify")
@click.option("--head", "noted", callback=_noted, metavar="POSITION:DIGEST", help="控えておいた末尾。これも確かめる")
def verify(noted: tuple[int, str] | None) -> None:
    """操作記録が、変えられても、消されても、加えられてもいないことを確かめる。誤りがあれば終了コード 1

    末尾の番号とダイジェストは、この命令と書き出したファイルと毎日のログ(audit_head)に出る。別の場所に控えておくと、後ろが切り取られたことも分かる。
    """
    check = check_audit(current_context(), noted=noted)
    say = wording(DEFAULT)
    for fault in check.faults:
        click.echo(f"記録 {fault.position}: {say.label(fault.kind)}")
    if check.waiting:
        click.echo(f"古い版が書いた {check.waiting} 件は、次の記録のときに鎖に加わります。")
    click.echo(f"{check.entries}件を確かめました。{'誤りはありません。' if check.ok else '誤りがあります。'}")
    click.echo(f"末尾 {check.head}:{check.digest}")
    raise SystemExit(DONE if check.ok else FAILED)


@audit.command("export")
@click.option("--from", "since", type=_Day, required=True, help="この日から(日本時間)")
@click.option("--to", "until", type=_Day, default=None, help="この日まで。省略すると --from の日だけ")
@click.option("--format", "form", type=click.Choice([str(f) for f in Format]), default=str(Format.JSONL))
def export(since: datetime, until: datetime | None, form: str) -> None:
    """期間の操作記録を標準出力に書く。docs/tools/verify_audit.py で、だれでも確かめられる"""
    ctx, first = current_context(), since.date()
    last: date = until.date() if until else first
    made = begin_export(ctx, first, last, Format(form))
    words = catalogue(DEFAULT)
    for piece in lines_of(ctx, made, Format(form), lambda action: words.get(f"audit.actions.{action}", action)):
        click.echo(piece, nl=False)
