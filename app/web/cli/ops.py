"""flask queue and flask connection: what operators see and do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import click
from flask.cli import AppGroup

from app.domain.mail_text.notices import BANK
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import PayType
from app.domain.settings.export_settings import doubts
from app.domain.vendors.tokens import FreeeTokens
from app.use_cases.connections import attributes, connections, doubled, pause_resume
from app.use_cases.monitoring import queue_admin
from app.use_cases.shared.connection_lookup import find_connection
from app.use_cases.shared.views import ConnectionView, QueueView
from app.web.api import response_schemas, serializers
from app.web.callback_address import callback_url
from app.web.cli import automatic, deliveries
from app.web.cli.access import read_secret
from app.web.cli.exit_codes import DONE, FAILED
from app.web.current import current_context
from app.web.i18n import DEFAULT, wording

queue = AppGroup("queue", help="待ち行列と滞留")
connection = AppGroup("connection", help="SmartHR と freee人事労務の接続")
connection.commands.update(automatic.automatic.commands)

_EXPORT_LABELS = {
    "working_hours_system_name": "勤務・賃金設定名",
    "pay_schedule_name": "締め日支払い日グループ名",
    "pay_type": "給与方式",
    "base_pay": "基本給",
}
_BY = "cli"
_STATES = {"active": "有効", "paused": "一時停止中", "needs_consent": "freee の認可が必要"}
_NEED_A_PERSON = ("needs_consent", "refresh_unknown")
_PAY_TYPES = {PayType.MONTHLY: "月給", PayType.DAILY: "日給", PayType.HOURLY: "時給"}
_json_option = click.option("--json", "as_json", is_flag=True, help="JSON で出力する")
_key_option = click.option("--connection", "key", required=True, metavar="KEY", help="接続キー")


@queue.command("status")
@_json_option
def status(as_json: bool) -> None:
    """待ち、実行中、失敗、滞留の長さを表示する"""
    view = queue_admin.queue_status(current_context())
    if as_json:
        click.echo(
            json.dumps(response_schemas.QueueSchema().dump(serializers.queue(view)), ensure_ascii=False, indent=2)
        )
    else:
        _echo_queue(view)


@queue.command("requeue")
def requeue() -> None:
    """待っている処理をキューに入れ直す(二重に入っても一度しか実行されない)"""
    queue_admin.requeue(current_context())
    click.echo("待っている処理をキューに入れ直しました。")


@queue.command("pause")
@_key_option
def pause(key: str) -> None:
    """接続を一時停止する。処理中の従業員は最後まで行い、残りは待ち、新しい実行は断る"""
    pause_resume.pause(current_context(), key)
    click.echo("一時停止しました。再開: flask queue resume --connection " + key)


@queue.command("resume")
@_key_option
def resume(key: str) -> None:
    """一時停止した接続を再開する"""
    pause_resume.resume(current_context(), key)
    click.echo("再開しました。")


@connection.command("list")
@_json_option
def list_connections(as_json: bool) -> None:
    """接続の一覧"""
    views = connections.list_connections(current_context())
    if as_json:
        shown = response_schemas.ConnectionsSchema().dump(serializers.listed(views))
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for view in views:
        _echo_connection(view)
    if not views:
        click.echo("接続はまだありません。flask connection add で加えてください。")


def _export_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, text in reversed(_EXPORT_LABELS.items()):
        hint = "(月給、日給、時給)" if name == "pay_type" else ""
        command = click.option(f"--{name.replace('_', '-')}", default=None, help=f"エクスポート設定: {text}{hint}")(
            command
        )
    return command


@connection.command("add")
@click.option("--name", required=True, help="会社の名前")
@click.option("--smarthr-subdomain", required=True, metavar="SUBDOMAIN", help="https://SUBDOMAIN.smarthr.jp")
@click.option("--freee-company-id", required=True, type=int, help="freee の事業所 ID")
@click.option("--freee-external-cid", default=None, help="freee の事業所番号")
@click.option("--key", default=None, help="接続キー。省略すると推測できないものを作る")
@click.option("--mail-to", multiple=True, help="結果メールの宛先。繰り返して指定できる")
@click.option("--mail-to-english", "mail_english", multiple=True, help="英語のメールの宛先。繰り返して指定できる")
@_export_options
@click.option(
    "--with-freee-tokens", is_flag=True, help="freee のトークンもいま渡す(なければ flask connection authorise)"
)
@click.option("--freee-expires-in", default=21_600, show_default=True, help="freee のアクセストークンの残り秒数")
def add_connection(
    name: str,
    smarthr_subdomain: str,
    freee_company_id: int,
    freee_external_cid: str | None,
    key: str | None,
    mail_to: tuple[str, ...],
    mail_english: tuple[str, ...],
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
        mail_english=mail_english,
        export_settings=export_settings if any(export_settings.values()) else None,
        key=key,
    )
    click.echo(view.key)
    _echo_connection(view, err=True)
    if tokens is None:
        _echo_way_to_consent(view.key, err=True)


@connection.command("merge")
@click.argument("key")
def merge_connection(key: str) -> None:
    """重複した接続の紐付けを、有効な接続に移してから取り除く"""
    merged = doubled.merge(current_context(), key, by=_BY)
    click.echo(f"{merged.moved}件の紐付けを {merged.into} に移し、重複した接続を取り除きました。")
    if merged.left:
        click.echo(f"{merged.left}件は、相手がほかの従業員と紐付いているため移していません。")


@connection.command("remove")
@click.argument("key")
@click.confirmation_option(prompt="重複した接続を紐付けごと取り除きますか?")
def remove_connection(key: str) -> None:
    """重複した接続を取り除く。紐付けは移さない(移すなら merge)"""
    doubled.remove(current_context(), key, by=_BY)
    click.echo("重複した接続を取り除きました。")


@connection.command("check")
@click.argument("key")
@click.option("--repair", is_flag=True, help="SmartHR の Webhook が無効か変えられていたら直す")
def check_connection(key: str, repair: bool) -> None:
    """両方のシステムに問い合わせて、読めるかどうかと、SmartHR の Webhook の登録を確かめる"""
    checks = connections.check_connection(current_context(), key)
    for check in checks:
        told = "読めない項目があります" if check.gone else "読めます"
        click.echo(f"{check.system.label}: {told if check.ok else check.message or check.code}")
    if any(check.code in _NEED_A_PERSON for check in checks):
        _echo_way_to_consent(key)
    unread = _echo_gone(key)
    heard = automatic.check_webhook(key, repair=repair)
    enough = automatic.echo_two_persons(key)
    raise SystemExit(DONE if heard and enough and not unread and all(check.ok for check in checks) else FAILED)


@connection.command("cleared")
@click.argument("key")
@click.argument("attribute")
def answer_cleared(key: str, attribute: str) -> None:
    """読めなくなった項目について、全員の値を削除したと答える。空欄が値として扱われる

    ATTRIBUTE は flask connection check が示す名前(tel_number など)。値がまた現れるか、トークンが替わると答えは終わる。
    """
    attributes.answer_cleared(current_context(), _BY, key, attribute)
    click.echo("空欄を値として扱います。")


@connection.command("authorise")
@click.argument("key")
def authorise(key: str) -> None:
    """freee の認可を始める。ブラウザーで開くアドレスだけを標準出力に書く

    認可が切れた接続をつなぎ直すときにも使う。freee のアプリには、コールバック URL として BASE_URL の後に
    /connect/freee/callback を付けたものを登録しておく。
    """
    ctx = current_context()
    redirect_uri = callback_url(ctx.settings)
    click.echo(connections.begin_consent(ctx, key, redirect_uri=redirect_uri))
    minutes = connections.CONSENT_MINUTES
    click.echo(
        f"このアドレスを{minutes}分以内に、事業所の管理者がブラウザーで開いてください(1回だけ使えます)。", err=True
    )
    click.echo(f"freee のアプリに登録するコールバック URL: {redirect_uri}", err=True)


@connection.command("show")
@click.argument("key")
def show_connection(key: str) -> None:
    """接続の状態、エクスポート設定、自動の同期の設定を表示する"""
    _echo_with_settings(key)
    automatic.echo_automatic(key)
    automatic.echo_two_persons(key)


@connection.command("set-export-settings")
@click.argument("key")
@_export_options
def set_export_settings(key: str, **export_settings: str | None) -> None:
    """エクスポート設定を登録するか変える。指定しない項目はそのまま残る"""
    changes = {name: value for name, value in export_settings.items() if value is not None}
    if not changes:
        raise click.UsageError("変える項目を指定してください。")
    connections.set_export_settings(current_context(), key, changes)
    _echo_with_settings(key)


@connection.command("set-smarthr-token")
@click.argument("key")
def set_smarthr_token(key: str) -> None:
    """SmartHR のアクセストークンを入れ替える

    環境変数 AWASE_SMARTHR_TOKEN か標準入力で渡す。どちらもなければ尋ねる。
    """
    token = read_secret("SmartHR のアクセストークン", variable="AWASE_SMARTHR_TOKEN")
    connections.replace_smarthr_token(current_context(), key, token)
    click.echo("アクセストークンを入れ替えました。読めるかどうかは flask connection check で確かめられます。")


def _echo_with_settings(key: str) -> None:
    view, settings = connections.show_connection(current_context(), key)
    _echo_connection(view)
    if view.state == "needs_consent":
        _echo_way_to_consent(key)
    if settings is None:
        return
    shown = {**asdict(settings), "pay_type": _PAY_TYPES[settings.pay_type], "base_pay": f"{settings.base_pay:,}円"}
    for name, label in _EXPORT_LABELS.items():
        click.echo(f"  {label}: {shown[name]}")
    for code in doubts(settings):
        click.echo(f"  注意: {wording(DEFAULT).message(code)}")


def _echo_gone(key: str) -> bool:
    """Print the attributes that had values and are shown for nobody any more. True: there are some."""
    say = wording(DEFAULT)
    gone = attributes.gone_items(find_connection(current_context(), key))
    for each in gone:
        form = "項目ごと返ってきません" if each.missing else "全員が空欄です"
        names = "、".join(say("mail.bank_account") if key == BANK else say.item(key) for key in each.things)
        click.echo(f"  {each.system.label} {names}({each.name}): {form}")
    if gone:
        click.echo("  これらの項目は同期しません。アクセストークンの許可を確かめてください。")
    if any(not each.missing for each in gone):
        click.echo(f"  全員の値を削除したときは flask connection cleared {key} 項目の名前")
    return bool(gone)


def _echo_way_to_consent(key: str, *, err: bool = False) -> None:
    click.echo(f"freee の認可: flask connection authorise {key}", err=err)


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
    deliveries.echo_intake(view)


def _echo_connection(view: ConnectionView, *, err: bool = False) -> None:
    settings = "" if view.export_settings_complete else " エクスポート設定が未完了"
    closed = "".join(
        f" {name}は制限のためあと{seconds:.0f}秒停止"
        for name, seconds in (("SmartHR", view.smarthr_closed_for), ("freee人事労務", view.freee_closed_for))
        if seconds > 0
    )
    closed += "".join(
        f" {name}は応答がないためあと{seconds:.0f}秒待機"
        for name, seconds in (("SmartHR", view.smarthr_silent_for), ("freee人事労務", view.freee_silent_for))
        if seconds > 0
    )
    state = _STATES.get(view.state, view.state)
    if view.doubled:
        state += f" 重複(flask connection merge {view.key} か remove で整理)"
    sides = f"{view.smarthr_subdomain} ⇔ {view.freee_company_id}"
    click.echo(f"{view.key}  {view.name}  {sides}  {state}{settings}{closed}", err=err)
