"""flask queue and flask connection: what operators see and do."""

from __future__ import annotations

import json
from datetime import timedelta

import click
from flask.cli import AppGroup

from app.domain.ports import FreeeTokens
from app.domain.run_state import ItemState
from app.use_cases import connections, monitor
from app.use_cases.views import ConnectionView, QueueView
from app.web import answers, present
from app.web.cli_access import read_secret
from app.web.cli_exit import DONE, FAILED
from app.web.current import current_context

queue = AppGroup("queue", help="待ち行列と滞留")
connection = AppGroup("connection", help="SmartHR と freee人事労務の接続")

_STATES = {"active": "有効", "paused": "一時停止中", "needs_consent": "freee の再認可が必要"}
_json_option = click.option("--json", "as_json", is_flag=True, help="JSON で出力する")
_key_option = click.option("--connection", "key", required=True, metavar="KEY", help="接続キー")


@queue.command("status")
@_json_option
def status(as_json: bool) -> None:
    """待ち、実行中、失敗、滞留の長さを表示する"""
    view = monitor.queue_status(current_context())
    if as_json:
        click.echo(json.dumps(answers.QueueSchema().dump(present.queue(view)), ensure_ascii=False, indent=2))
    else:
        _echo_queue(view)


@queue.command("requeue")
def requeue() -> None:
    """待っている処理をキューに入れ直す(二重に入っても一度しか実行されない)"""
    monitor.requeue(current_context())
    click.echo("待っている処理をキューに入れ直しました。")


@queue.command("pause")
@_key_option
def pause(key: str) -> None:
    """接続を一時停止する。受け付けは続き、書き込みは止まる"""
    monitor.pause(current_context(), key)
    click.echo("一時停止しました。再開: flask queue resume --connection " + key)


@queue.command("resume")
@_key_option
def resume(key: str) -> None:
    """一時停止した接続を再開する"""
    monitor.resume(current_context(), key)
    click.echo("再開しました。")


@connection.command("list")
@_json_option
def list_connections(as_json: bool) -> None:
    """接続の一覧"""
    views = connections.list_connections(current_context())
    if as_json:
        shown = answers.ConnectionsSchema().dump(present.connections(views))
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for view in views:
        _echo_connection(view)
    if not views:
        click.echo("接続はまだありません。flask connection add で加えてください。")


@connection.command("add")
@click.option("--name", required=True, help="会社の名前")
@click.option("--smarthr-subdomain", required=True, metavar="SUBDOMAIN", help="https://SUBDOMAIN.smarthr.jp")
@click.option("--freee-company-id", required=True, type=int, help="freee の事業所 ID")
@click.option("--freee-external-cid", default=None, help="freee の事業所番号")
@click.option("--key", default=None, help="接続キー。省略すると推測できないものを作る")
@click.option("--mail-to", multiple=True, help="結果メールの宛先。繰り返して指定できる")
@click.option("--working-hours-system-name", default=None, help="エクスポート設定: 勤務・賃金設定名")
@click.option("--pay-schedule-name", default=None, help="エクスポート設定: 締め日支払い日グループ名")
@click.option("--pay-type", default=None, help="エクスポート設定: 給与方式(月給、日給、時給)")
@click.option("--base-pay", default=None, help="エクスポート設定: 基本給")
@click.option("--with-freee-tokens", is_flag=True, help="freee のトークンもいま渡す(なければ画面から認可する)")
@click.option("--freee-expires-in", default=21_600, show_default=True, help="freee のアクセストークンの残り秒数")
def add_connection(
    name: str,
    smarthr_subdomain: str,
    freee_company_id: int,
    freee_external_cid: str | None,
    key: str | None,
    mail_to: tuple[str, ...],
    with_freee_tokens: bool,
    freee_expires_in: int,
    **export_settings: str | None,
) -> None:
    """接続を加える

    トークンは引数では受け取らない。環境変数 AWASE_SMARTHR_TOKEN、AWASE_FREEE_ACCESS_TOKEN、
    AWASE_FREEE_REFRESH_TOKEN か、標準入力(この順に1行ずつ)で渡す。どちらもなければ尋ねる。
    """
    ctx = current_context()
    smarthr_token = read_secret("SmartHR のアクセストークン", variable="AWASE_SMARTHR_TOKEN")
    tokens = None
    if with_freee_tokens:
        tokens = FreeeTokens(
            access_token=read_secret("freee のアクセストークン", variable="AWASE_FREEE_ACCESS_TOKEN"),
            refresh_token=read_secret("freee のリフレッシュトークン", variable="AWASE_FREEE_REFRESH_TOKEN"),
            expires_at=ctx.clock.now() + timedelta(seconds=freee_expires_in),
        )
    view = connections.add_connection(
        ctx,
        name=name,
        smarthr_subdomain=smarthr_subdomain,
        smarthr_token=smarthr_token,
        freee_company_id=freee_company_id,
        freee_external_cid=freee_external_cid,
        freee_tokens=tokens,
        mail_to=mail_to,
        export_settings=export_settings if any(export_settings.values()) else None,
        key=key,
    )
    click.echo(view.key)
    _echo_connection(view, err=True)


@connection.command("check")
@click.argument("key")
def check_connection(key: str) -> None:
    """両方のシステムに問い合わせて、読めるかどうかを確かめる"""
    checks = connections.check_connection(current_context(), key)
    for check in checks:
        click.echo(f"{check.system.label}: {'読めます' if check.ok else check.message or check.code}")
    raise SystemExit(DONE if all(check.ok for check in checks) else FAILED)


def _echo_queue(view: QueueView) -> None:
    if not view.broker_reachable:
        click.echo("キュー(Redis)に接続できません。受け付けは続いています。")
    for depth in view.queues:
        age = f" 最も古い待ち{depth.oldest_age:.0f}秒" if depth.oldest_age is not None else ""
        counts = f"待ち{depth.waiting} 実行中{depth.running} 失敗{depth.failed} ワーカー{depth.workers}"
        click.echo(f"{depth.queue}: {counts}{age}")
    age = f"(最も古いもの{view.outbox_oldest_age:.0f}秒)" if view.outbox_oldest_age is not None else ""
    click.echo(f"引き渡し待ち{view.outbox_waiting}件{age} 送信待ちのメール{view.mails_waiting}通")
    items = " ".join(f"{s.label}{n}" for s in ItemState if (n := view.items.get(s, 0)))
    click.echo(f"終わっていない実行{view.runs_open}件 {items}".rstrip())
    for found in view.connections:
        _echo_connection(found)


def _echo_connection(view: ConnectionView, *, err: bool = False) -> None:
    settings = "" if view.export_settings_complete else " エクスポート設定が未完了"
    closed = "".join(
        f" {name}は制限のためあと{seconds:.0f}秒停止"
        for name, seconds in (("SmartHR", view.smarthr_closed_for), ("freee人事労務", view.freee_closed_for))
        if seconds > 0
    )
    state = _STATES.get(view.state, view.state)
    sides = f"{view.smarthr_subdomain} ⇔ {view.freee_company_id}"
    click.echo(f"{view.key}  {view.name}  {sides}  {state}{settings}{closed}", err=err)
