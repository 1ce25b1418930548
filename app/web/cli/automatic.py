"""flask connection …: the webhook at SmartHR, and the automatic sync. `ops` adds these commands to its own group."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.domain.errors import AwaseError
from app.domain.runs.dates import JAPAN
from app.domain.settings.connection_settings import Automatic, ConflictPolicy, MailPolicy
from app.domain.settings.two_persons import TwoPersons
from app.use_cases.accounts.users import CLI
from app.use_cases.connections import automatic_settings, two_persons, webhook_registration
from app.use_cases.connections.automatic_settings import BANK, DEFAULT, AutomaticView
from app.use_cases.connections.webhook_registration import WebhookCheck
from app.use_cases.shared.connection_lookup import find_connection
from app.use_cases.shared.views import WebhookState
from app.web.cli.exit_codes import DONE, FAILED
from app.web.current import current_context
from app.web.i18n import DEFAULT as JAPANESE
from app.web.i18n import wording

automatic = AppGroup("automatic")
WHO = "cli"

_DIRECTIONS = {
    Automatic.OFF: "しない",
    Automatic.SMARTHR_TO_FREEE: "SmartHR → freee人事労務",
    Automatic.FREEE_TO_SMARTHR: "freee人事労務 → SmartHR",
    Automatic.BOTH: "両方向",
}
_TWO_PERSONS = {
    TwoPersons.OFF: "なし",
    TwoPersons.ACCOUNTS: "口座",
    TwoPersons.ACCOUNTS_AND_INCOME: "口座と標準報酬月額",
}
_POLICIES = {
    ConflictPolicy.SMARTHR_WINS: "SmartHR を優先",
    ConflictPolicy.FREEE_WINS: "freee人事労務を優先",
    ConflictPolicy.HOLD: "反映せずに知らせる",
    ConflictPolicy.SOURCE_WINS: "取得元を優先",
}
_MAILS = {MailPolicy.ALWAYS: "毎回", MailPolicy.CHANGES: "変更か失敗があったとき", MailPolicy.FAILURES: "失敗したとき"}
_BANK_ITEMS = "口座(5項目)"
_CHECKED = {
    WebhookState.NONE: "登録していません",
    WebhookState.OK: "登録されていて、有効です",
    WebhookState.DISABLED: "SmartHRで{since}無効になりました",
    WebhookState.MISSING: "SmartHRから登録が消えています",
    WebhookState.CHANGED: "SmartHRで登録のアドレスかイベントが変えられています",
}
_WEBHOOKS = {
    "none": "未登録",
    "ok": "有効",
    "disabled": "SmartHR で無効になっている",
    "missing": "SmartHR から消えている",
    "changed": "SmartHR で変えられている",
}


@automatic.command("register-webhook")
@click.argument("key")
def register_webhook(key: str) -> None:
    """SmartHR に Webhook を登録する。登録済みなら内容を直す

    SmartHR から届くアドレスは BASE_URL の後に /webhooks/smarthr/KEY を付けたもの。社内のアドレスは SmartHR が断る。
    秘密のトークンは自動で作り、表示しない。
    """
    _end_with(webhook_registration.register_webhook(current_context(), key), key)


@automatic.command("rotate-webhook-secret")
@click.argument("key")
def rotate_webhook_secret(key: str) -> None:
    """SmartHR の Webhook の秘密のトークンを取り替える(前のものもしばらく受け付ける)"""
    until = webhook_registration.rotate_webhook_secret(current_context(), key)
    click.echo(f"取り替えました。前のトークンは {until.astimezone(JAPAN):%Y-%m-%d %H:%M} まで受け付けます。")


@automatic.command("remove-webhook")
@click.argument("key")
def remove_webhook(key: str) -> None:
    """SmartHR から Webhook の登録を取り除く"""
    count = webhook_registration.remove_webhook(current_context(), key)
    click.echo("登録を取り除きました。" if count else "SmartHR に登録はありませんでした。こちらの記録を消しました。")


def _item_policies(_ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if not all(equals and item for item, equals, _ in pairs):
        raise click.BadParameter("項目=方針 の形で指定してください。例: title=freee_wins")
    return {item: policy for item, _, policy in pairs}


@automatic.command("set-automatic")
@click.argument("key")
@click.option("--directions", help=f"自動で同期する方向: {' '.join(Automatic)}")
@click.option("--policy", help=f"両方で変わった項目: {' '.join(automatic_settings.POLICIES)}")
@click.option(
    "--item-policy",
    "item_policies",
    multiple=True,
    metavar="ITEM=POLICY",
    callback=_item_policies,
    help=f"項目ごとの方針。繰り返して指定できる。口座の5項目はまとめて bank。{DEFAULT} で接続の方針に戻す",
)
@click.option("--quiet-seconds", help=f"通知をまとめる秒数。0から600、{DEFAULT} で全体の設定に戻す")
@click.option("--sweep-minutes", help=f"全員を照合する間隔(分)。5から1440、{DEFAULT} で全体の設定に戻す")
@click.option("--mail", help=f"自動の同期の結果メール: {' '.join(MailPolicy)}")
def set_automatic(key: str, item_policies: dict[str, str], **given: str | None) -> None:
    """自動の同期の方向、優先、間隔、メールを変える。指定しない設定はそのまま残る"""
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if item_policies:
        changes["item_policies"] = item_policies
    if not changes:
        raise click.UsageError("変える設定を指定してください。")
    automatic_settings.set_automatic(current_context(), key, changes=changes)
    echo_automatic(key)


@automatic.command("set-two-persons")
@click.argument("key")
@click.argument("mode", required=False, metavar="[" + "|".join(TwoPersons) + "]")
@click.option("--hours", help="2人目を待つ時間(1から720)。default で72時間に戻す")
def set_two_persons(key: str, mode: str | None, hours: str | None) -> None:
    """口座などの変更が、もう1人の利用者の承認を待つかどうかを決める

    accounts は口座、accounts_and_income は口座と標準報酬月額、off は待たない。承認できる利用者が2人以上必要。
    """
    if mode is None and hours is None:
        raise click.UsageError("変える設定を指定してください。")
    two_persons.set_two_persons(current_context(), key, mode=mode, hours=hours, by=CLI)
    echo_two_persons(key)


def echo_two_persons(key: str) -> bool:
    """Print which changes wait for a second person. False: too few users are left who may decide."""
    view = two_persons.show_two_persons(current_context(), key)
    waits = f"(承認を{view.hours}時間待つ)" if view.mode is not TwoPersons.OFF else ""
    click.echo(f"  2人での確認: {_TWO_PERSONS[view.mode]}{waits}")
    if view.too_few:
        click.echo(f"  注意: 承認できる利用者が{view.entitled}人です。2人以上にしてください(flask user add、enable)。")
    return not view.too_few


@automatic.command("look-now")
@click.argument("key")
def look_now(key: str) -> None:
    """自動同期を始める前の確認を、次の照合を待たずにいま作る"""
    automatic_settings.look_now(current_context(), WHO, key)
    echo_automatic(key)


def echo_automatic(key: str) -> None:
    """Print the automatic settings, what waits for an approval, and the webhook as the last check found it."""
    view, say = automatic_settings.show_automatic(current_context(), key), wording(JAPANESE)
    click.echo(f"  自動の同期: {_DIRECTIONS[view.automatic]}")
    click.echo(f"  両方で変わった項目: {_POLICIES[view.policy]}")
    for item, policy in view.item_policies.items():
        click.echo(f"    {_BANK_ITEMS if item == BANK else say.item(item)}({item}): {_POLICIES[policy]}")
    click.echo(f"  通知をまとめる時間: {view.quiet_seconds:g}秒")
    click.echo(f"  全員を照合する間隔: {view.sweep_minutes:g}分")
    click.echo(f"  自動の同期の結果メール: {_MAILS[view.mail]}")
    click.echo(f"  SmartHR の Webhook: {_webhook_words(view)}")
    for each in view.beginnings:
        click.echo(f"  確認してから始まります: {_DIRECTIONS[Automatic(each.direction.value)]}({each.reason.label})")
        if each.run is None:
            click.echo("    最初の照合は書き込まずに確認待ちになります。できたかどうか: flask connection show " + key)
        else:
            click.echo(f"    内容を見る: flask sync show {each.run} --items")
            click.echo(f"    承認する: flask sync approve {each.run}")
        click.echo(f"    {each.gathered} 人の変更が承認を待っています。")
    if view.deaf:
        hint = "register-webhook" if view.webhook.value == "none" else "check --repair"
        click.echo(f"  注意: SmartHR からの通知が届きません。flask connection {hint} {key}")


def check_webhook(key: str, *, repair: bool) -> bool:
    """Print the state of the webhook's registration, with `repair` after mending a wrong one.

    Returns False when SmartHR will not tell us of changes although it should.
    """
    ctx = current_context()
    connection = find_connection(ctx, key)
    try:
        check = webhook_registration.check_webhook(ctx, connection)
    except AwaseError as error:
        click.echo(f"SmartHR の Webhook: {wording(JAPANESE).message(error.code)}")
        return False
    if repair and check.registered and not check.ok:
        click.echo(f"SmartHR の Webhook: {_found(check)}。直します。")
        check = webhook_registration.repair_webhook(ctx, key)
    _echo_check(check, key)
    return check.ok or (not check.registered and connection.automatic is Automatic.OFF)


def _end_with(check: WebhookCheck, key: str) -> None:
    _echo_check(check, key)
    raise SystemExit(DONE if check.ok else FAILED)


def _echo_check(check: WebhookCheck, key: str) -> None:
    click.echo(f"SmartHR の Webhook: {_found(check)}")
    if not check.ok:
        command = f"check {key} --repair" if check.registered else f"register-webhook {key}"
        click.echo(f"  flask connection {command}")


def _found(check: WebhookCheck) -> str:
    since = f"{check.disabled_at.astimezone(JAPAN):%Y-%m-%d %H:%M} に" if check.disabled_at else ""
    return _CHECKED[check.state].format(since=since)


def _webhook_words(view: AutomaticView) -> str:
    checked = view.webhook_checked_at
    since = f"({checked.astimezone(JAPAN):%Y-%m-%d %H:%M} に確認)" if checked else ""
    return f"{_WEBHOOKS[view.webhook.value]}{since}"
