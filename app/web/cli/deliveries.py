"""flask delivery and flask trouble: webhook deliveries, their replay, and employees whom the automatic sync skips."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup

from app.domain.enums import Direction
from app.domain.runs.dates import JAPAN
from app.use_cases.intake import delivery_replay
from app.use_cases.monitoring import deliveries, troubles
from app.use_cases.shared.delivery_lookup import DeliveryFilter
from app.use_cases.shared.views import DeliveryState, DeliveryView, IntakeView, QueueView, TroubleView
from app.web.api import response_schemas, serializers
from app.web.current import current_context
from app.web.http.problems import FIRST_YEAR, LAST_YEAR

delivery = AppGroup("delivery", help="届いた Webhook の確認とやり直し")
trouble = AppGroup("trouble", help="同じ理由で失敗が続き、自動の同期を止めている従業員")

_DELIVERY_STATES = {
    DeliveryState.RECEIVED: "振り分け待ち",
    DeliveryState.ACCEPTED: "受付",
    DeliveryState.IGNORED: "対象外の向き",
    DeliveryState.UNKNOWN: "知らない種類",
    DeliveryState.UNROUTED: "接続なし",
}
_REGISTRATIONS = {
    "none": "未登録",
    "ok": "有効",
    "disabled": "SmartHR で無効",
    "missing": "SmartHR から消えている",
    "changed": "SmartHR で変えられている",
}
_DIRECTIONS = {
    "off": "しない",
    "smarthr_to_freee": "SmartHR → freee人事労務",
    "freee_to_smarthr": "freee人事労務 → SmartHR",
    "both": "両方向",
}


class _Moment(click.ParamType[datetime]):
    """A moment; one without a zone is in Japan's time."""

    name = "YYYY-MM-DD[THH:MM]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail("日時を 2026-11-22 か 2026-11-22T09:00 の形で指定してください。", param, ctx)
        if not FIRST_YEAR < moment.year < LAST_YEAR:
            self.fail(f"{FIRST_YEAR + 1}年から{LAST_YEAR - 1}年までの日時を指定してください。", param, ctx)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=JAPAN)


_json_option = click.option("--json", "as_json", is_flag=True, help="JSON で出力する")
_connection_option = click.option("--connection", default=None, metavar="KEY", help="この接続のものだけ")
_since_help, _until_help = "この日時以後に届いたもの(日本時間)", "この日時より前に届いたもの(日本時間)"
_until_option = click.option("--until", type=_Moment(), default=None, help=_until_help)
_failed_option = click.option("--failed", is_flag=True, help="従業員の処理がよく終わらなかったものだけ")


@delivery.command("list")
@_connection_option
@click.option("--state", type=click.Choice([str(s) for s in DeliveryState]), default=None, help="この扱いのものだけ")
@click.option("--since", type=_Moment(), default=None, help=_since_help)
@_until_option
@_failed_option
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True, help="最大件数")
@click.option("--after", type=click.IntRange(1, 10**18), default=None, help="この番号より古いもの")
@_json_option
def list_(
    connection: str | None,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    failed: bool,
    limit: int,
    after: int | None,
    as_json: bool,
) -> None:
    """届いた Webhook の一覧(新しい順)"""
    wanted = DeliveryFilter(connection, DeliveryState(state) if state else None, since, until, failed)
    page = deliveries.list_deliveries(current_context(), wanted, after=after, limit=limit)
    if as_json:
        _echo_json(response_schemas.DeliveryPageSchema().dump(serializers.delivery_page(page)))
        return
    for view in page.items:
        _echo_delivery(view)
    if not page.items:
        click.echo("当てはまる通知はありません。")
    if page.next_after is not None:
        click.echo(f"続き: --after {page.next_after}")


@delivery.command("show")
@click.argument("delivery_id", type=click.IntRange(min=1))
@_json_option
def show(delivery_id: int, as_json: bool) -> None:
    """1件の Webhook と、従業員ごとの結果を表示する"""
    view = deliveries.get_delivery(current_context(), delivery_id)
    if as_json:
        _echo_json(response_schemas.DeliveryDetailSchema().dump(serializers.delivery(view)))
        return
    _echo_delivery(view)
    click.echo(f"  従業員の ID: {' '.join(view.people) or 'なし'}")
    for item in view.items:
        click.echo(f"  {item.state.label}  flask sync show {item.run} --items")


@delivery.command("replay")
@click.option("--id", "delivery_id", type=click.IntRange(min=1), default=None, help="この1件だけ")
@_connection_option
@click.option("--since", type=_Moment(), default=None, help=_since_help)
@_until_option
@_failed_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="最大件数")
@click.option("--after", type=click.IntRange(1, 10**18), default=None, help="この番号より古いもの")
@_json_option
def replay(
    delivery_id: int | None, since: datetime | None, as_json: bool, limit: int, after: int | None, **given: Any
) -> None:
    """Webhook をやり直す。--id で1件、--since で期間、--failed でよく終わらなかったものすべて

    従業員を両方のシステムから読み直すので、すでにそろっていれば変更なしで終わる。
    """
    if delivery_id is not None and (since or given["until"] or given["failed"] or given["connection"]):
        raise click.UsageError("--id は、ほかの条件と一緒には使えません。")
    ctx = current_context()
    if delivery_id is not None:
        done = delivery_replay.replay(ctx, delivery_id)
    else:
        wanted = DeliveryFilter(since=since, **given)
        done = delivery_replay.replay_many(ctx, wanted, after=after, limit=limit)
    if as_json:
        _echo_json(vars(done))
        return
    click.echo(f"{done.replayed}件の通知をやり直します(従業員{done.people}人)。")
    if done.skipped:
        click.echo(f"{done.skipped}件は、いまの設定で同期する従業員がいないため、そのままにしました。")
    if done.next_after is not None:
        click.echo(f"まだ残っているかもしれません: --after {done.next_after}")


@trouble.command("list")
@click.argument("key")
def list_troubles(key: str) -> None:
    """自動の同期で失敗が続いている従業員の一覧"""
    found = troubles.list_troubles(current_context(), key)
    _echo_troubles(found)
    if not found:
        click.echo("失敗が続いている従業員はいません。")


@trouble.command("lift")
@click.argument("key")
@click.option("--number", "numbers", multiple=True, help="従業員番号。繰り返して指定できる。省略すると全員")
def lift(key: str, numbers: tuple[str, ...]) -> None:
    """自動の同期を止めている従業員を、ふたたび対象にする(次の通知か定期の比較から)"""
    lifted = troubles.lift_troubles(current_context(), key, numbers=numbers or None)
    _echo_troubles(lifted)
    click.echo(f"{len(lifted)}件を解除しました。")


def echo_intake(view: QueueView) -> None:
    """Print what `flask queue status` says about webhooks and about employees whom the automatic sync skips."""
    known = " ".join(f"{_DELIVERY_STATES[s]}{n}" for s in DeliveryState if (n := view.deliveries_last_hour.get(s, 0)))
    click.echo(f"通知を集めている実行{view.runs_gathering}件 直近1時間の Webhook: {known or 'なし'}")
    for each in view.intake:
        _echo_connection(each)


def _echo_connection(each: IntakeView) -> None:
    seen = f"最後の通知 SmartHR {_time(each.last_smarthr_webhook)} freee {_time(each.last_freee_webhook)}"
    since = f"({_time(each.webhook_disabled_at)}から)" if each.webhook_disabled_at else ""
    registered = f"Webhook の登録 {_REGISTRATIONS[each.webhook_state]}{since}"
    sweep = f"最後の全体比較 {_time(each.sweep_done_at)}"
    stopped = f"停止中の従業員{each.quarantined}人"
    click.echo(
        f"#{each.id} {each.key}  自動の同期 {_DIRECTIONS[each.automatic]}  {seen}  {registered}  {sweep}  {stopped}"
    )


def _echo_delivery(view: DeliveryView) -> None:
    counts = " ".join(f"{state.label}{people}" for state, people in view.results.items())
    again = f" やり直し{view.replays}回" if view.replays else ""
    where = view.connection or "-"
    state = _DELIVERY_STATES[view.state]
    click.echo(
        f"{view.id}  {_time(view.received_at)}  {view.system.label}  {view.event}  {where}  {state}"
        f"  {len(view.people)}人  {counts}{again}".rstrip()
    )


def _echo_troubles(views: Iterable[TroubleView]) -> None:
    for view in views:
        stopped = f"{_time(view.quarantined_at)}から停止" if view.quarantined_at else "まだ対象"
        arrow = "SmartHR → freee人事労務" if view.direction is Direction.SMARTHR_TO_FREEE else "freee人事労務 → SmartHR"
        click.echo(f"[{view.employee_number}] {arrow}  {view.message}  {view.times}回  {stopped}")
        if view.remedy:
            click.echo(f"    対処: {view.remedy}")


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(JAPAN):%Y-%m-%d %H:%M}"


def _echo_json(body: Any) -> None:
    click.echo(json.dumps(body, ensure_ascii=False, indent=2))
