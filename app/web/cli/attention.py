"""flask attention: everything that waits for a person, as the page 要対応 shows it."""

from __future__ import annotations

import json
from datetime import datetime

import click
from flask.cli import AppGroup

from app.domain.runs.dates import JAPAN
from app.use_cases.accounts.users import CLI
from app.use_cases.intake.attention_acts import check_now
from app.use_cases.queries.attention import Which, list_attention, see_attention
from app.use_cases.queries.attention_views import Attention, Entry
from app.web.api.attention_routes import AttentionSchema, as_answer
from app.web.current import current_context
from app.web.i18n import DEFAULT, wording

attention = AppGroup("attention", help="人の対応を待っているもの(要対応)")


@attention.command("list")
@click.argument("key", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="一度に出す件数")
@click.option("--after", type=click.IntRange(1), help="前の回の最後に出た番号の続きから")
@click.option("--json", "as_json", is_flag=True, help="JSON で出す")
def list_waiting(key: str | None, limit: int, after: int | None, as_json: bool) -> None:
    """要対応の一覧。KEY を省略するとすべての接続"""
    ctx = current_context()
    seen = see_attention(ctx, key, of_each=0)
    page = list_attention(ctx, Which(connection=key), after=after, limit=limit)
    if as_json:
        click.echo(json.dumps(AttentionSchema().dump(as_answer(seen, page)), ensure_ascii=False, indent=2))
        return
    click.echo(_summary(seen))
    for group in seen.groups:
        click.echo(f"■ {wording(DEFAULT).message(group.code, group.where)}({group.count}件)")
        click.echo(f"    対処: {wording(DEFAULT).remedy(group.code, group.where)}")
        click.echo(f"    対応する人: {group.owner.label}")
    for entry in page.items:
        click.echo(_line(entry))
    if page.next_after is not None:
        click.echo(f"続きがあります: --after {page.next_after}")


@attention.command("look")
def look() -> None:
    """いま全員を比べ、直った人を見つける(今すぐ確認)。何も書き込まない"""
    begun = check_now(current_context(), by=CLI)
    click.echo(f"確認を始めました({begun}件の比較)。何も書き込みません。")
    click.echo("終わると、直っていた人は flask attention list に「直ったようです」と出ます。")


def _summary(seen: Attention) -> str:
    if seen.total:
        return f"{seen.total}件、対応が必要です。"
    if seen.all_in_line and seen.checked_at is not None:
        return f"すべてそろっています(最終確認 {_time(seen.checked_at)})"
    return "対応が必要なことはありません。"


def _line(entry: Entry) -> str:
    who = f"[{entry.number or '番号なし'}]" if entry.is_person else f"{entry.company or 'Awase'}"
    people = f"  {entry.people}人" if entry.people and not entry.is_person else ""
    run = f"  実行 {entry.run}" if entry.run else ""
    more = people, f"  {_time(entry.since)}から", run, "  直ったようです" if entry.mended else ""
    return f"{who}  {entry.connection}  {wording(DEFAULT).message(entry.code, entry.where)}{''.join(more)}"


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(JAPAN):%Y-%m-%d %H:%M}"
