"""flask link: pairs that a deletion has broken, and what a person decides about them."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.use_cases.links import decide
from app.web.current import current_context

link = AppGroup("link", help="従業員の紐付け")

_key = click.argument("key", metavar="KEY")
_smarthr = click.option("--smarthr", "smarthr_id", required=True, metavar="ID", help="SmartHR の従業員の ID")
_freee = click.option("--freee", "freee_id", required=True, metavar="ID", help="freee人事労務の従業員の ID")
_BY = "cli"


@link.command("list")
@_key
def list_broken(key: str) -> None:
    """削除で切れ、判断を待っている紐付けを表示する"""
    found = decide.broken_links(current_context(), key)
    for each in found:
        numbers = f"社員番号 {each.smarthr_number or '不明'} / 従業員番号 {each.freee_number or '不明'}"
        click.echo(f"SmartHR {each.smarthr_id}  freee {each.freee_id}  {each.deleted_in.label}で削除  {numbers}")
    if not found:
        click.echo("判断を待っている紐付けはありません。")


@link.command("join")
@_key
@_smarthr
@_freee
def join(key: str, smarthr_id: str, freee_id: str) -> None:
    """二人を同じ従業員として紐付ける"""
    decide.join(current_context(), key, smarthr_id=smarthr_id, freee_id=freee_id, by=_BY)
    click.echo("紐付けました。")


@link.command("release")
@_key
@_smarthr
@_freee
def release(key: str, smarthr_id: str, freee_id: str) -> None:
    """切れた紐付けを手放す。残った従業員は、次の同期で新しい相手と紐付くか、作成される"""
    decide.release(current_context(), key, smarthr_id=smarthr_id, freee_id=freee_id, by=_BY)
    click.echo("手放しました。")


@link.command("cut")
@_key
@_smarthr
def cut(key: str, smarthr_id: str) -> None:
    """誤った紐付けを解除する。どちらの製品にも書き込まない"""
    decide.cut(current_context(), key, smarthr_id=smarthr_id, by=_BY)
    click.echo("解除しました。")
