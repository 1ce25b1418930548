"""flask sync: start a run, follow it on the terminal, approve, repeat, cancel."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import click
from flask.cli import AppGroup
from tqdm import tqdm

from app.domain.enums import Direction, Trigger
from app.domain.planning.mass_change import reason_from_dict, sentence
from app.domain.runs.commands import StartRun
from app.domain.runs.dates import JAPAN, today_in_japan
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.runs.words import in_words
from app.use_cases.accounts.users import user_id_of
from app.use_cases.intake import approve_retry_cancel, start_run
from app.use_cases.intake import undo as undoing
from app.use_cases.intake.second_person import Alone
from app.use_cases.queries import history
from app.use_cases.shared.views import AnswerView, ChangeView, ItemView, ProgressView, RunView
from app.web.api import response_schemas, serializers
from app.web.cli.exit_codes import DONE, FAILED
from app.web.current import current_context
from app.web.http.problems import FIRST_YEAR, LAST_YEAR
from app.web.i18n import DEFAULT, wording

POLL_SECONDS = 0.5
PAGE = 100
SHOWN_FAILURES = 50
WHO = "cli"
_BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
_UNKNOWN_BAR = "{desc} {n_fmt}/?{postfix}"

sync = AppGroup("sync", help="同期の開始と確認")


class _Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            day = datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            self.fail("実在する日付を YYYY-MM-DD の形で指定してください。", param, ctx)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            self.fail(f"{FIRST_YEAR}年から{LAST_YEAR}年までの日付を指定してください。", param, ctx)
        return day


class _Employees(click.ParamType[list[str]]):
    """`all` → None, `0001,0002` → a tuple (wrapped, because click reads None as "not given")."""

    name = "all|0001,0002"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        if value == "all":
            return []
        numbers = [number.strip() for number in value.split(",")]
        if not all(number.isprintable() and number for number in numbers):
            self.fail("all か、従業員番号をコンマで区切って指定してください。", param, ctx)
        return numbers


_wait_option = click.option("--wait", is_flag=True, help="終わるまで進み具合を表示して待つ")
_json_option = click.option("--json", "as_json", is_flag=True, help="JSON で出力する")


@sync.command("start")
@click.option("--connection", required=True, metavar="KEY", help="接続キー(flask connection list)")
@click.option("--direction", required=True, type=click.Choice([str(d) for d in Direction]))
@click.option("--as-of", type=_Day(), default=None, help="情報取得基準日。省略すると今日(日本)")
@click.option("--employees", required=True, type=_Employees(), help="基準日に在籍する全員なら all")
@click.option("--dry-run", is_flag=True, help="差分の確認で止まり、承認まで何も書き込まない")
@click.option("--idempotency-key", default=None, help="同じ鍵でもう一度頼んでも、新しい実行を作らない")
@click.option("--acknowledge", is_flag=True, help="一度に多くの人が変わっても、確認を待たずに書き込む")
@_wait_option
@_json_option
def start(
    connection: str,
    direction: str,
    as_of: date | None,
    employees: list[str],
    dry_run: bool,
    idempotency_key: str | None,
    acknowledge: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """同期を始める。失敗した従業員がいれば終了コード 1、入力の誤りなら 2"""
    ctx = current_context()
    view = start_run.start_run(
        ctx,
        StartRun(
            connection_key=connection,
            direction=Direction(direction),
            as_of_date=as_of or today_in_japan(ctx.clock.now()),
            employees=tuple(employees) or None,
            dry_run=dry_run,
            trigger=Trigger.MANUAL,
            started_by=WHO,
            idempotency_key=idempotency_key,
            acknowledged=acknowledge,
        ),
    )
    _follow(view, wait=wait, as_json=as_json, told="受け付けました")


@sync.command("show")
@click.argument("run_id")
@click.option("--items", "with_items", is_flag=True, help="従業員ごとの結果と差分も表示する")
@_json_option
def show(run_id: str, with_items: bool, as_json: bool) -> None:
    """実行の状態と失敗した従業員を表示する"""
    view = history.get_run(current_context(), run_id)
    if as_json:
        _echo_json(view, list(_items(view.id)) if with_items else _failures(view))
        return
    _echo_run(view)
    if with_items:
        for item in _items(view.id):
            _echo_item(item)


@sync.command("approve")
@click.argument("run_id")
@click.option("--acknowledge", is_flag=True, help="一度に多くの人が変わることを確かめた")
@_wait_option
@_json_option
def approve(run_id: str, acknowledge: bool, wait: bool, as_json: bool) -> None:
    """確認待ちの実行を承認して書き込みを始める"""
    approve_retry_cancel.approve(current_context(), run_id, by=WHO, acknowledged=acknowledge)
    _follow(history.get_run(current_context(), run_id), wait=wait, as_json=as_json, told="承認しました")


@sync.command("approve-alone")
@click.argument("run_id")
@click.option("--admin", required=True, metavar="LOGIN", help="緊急に1人で承認する管理者のログイン名")
@click.option("--reason", required=True, help="理由(10文字以上)。すべての管理者にメールで知らせ、記録に残す")
@_wait_option
@_json_option
def approve_alone(run_id: str, admin: str, reason: str, wait: bool, as_json: bool) -> None:
    """2人目の承認を待つ変更を、管理者1人で緊急に承認する"""
    ctx = current_context()
    alone = Alone(administrator=user_id_of(ctx, admin), reason=reason)
    approve_retry_cancel.approve(ctx, run_id, by=WHO, acknowledged=True, alone=alone)
    _follow(history.get_run(ctx, run_id), wait=wait, as_json=as_json, told="緊急に承認しました")


@sync.command("retry")
@click.argument("run_id")
@_wait_option
@_json_option
def retry(run_id: str, wait: bool, as_json: bool) -> None:
    """失敗した従業員だけを、新しい実行でもう一度同期する"""
    view = approve_retry_cancel.retry(current_context(), run_id, by=WHO)
    _follow(view, wait=wait, as_json=as_json, told="もう一度の同期を受け付けました")


@sync.command("undo")
@click.argument("run_id")
@_wait_option
@_json_option
def undo(run_id: str, wait: bool, as_json: bool) -> None:
    """終わった実行が書き込んだ値を元に戻す確認を作る(承認するまで書き込まない)"""
    view = undoing.undo(current_context(), run_id, by=WHO)
    _follow(view, wait=wait, as_json=as_json, told="元に戻す内容を確認します")


@sync.command("cancel")
@click.argument("run_id")
def cancel(run_id: str) -> None:
    """まだ始まっていない従業員の処理を取り消す"""
    approve_retry_cancel.cancel(current_context(), run_id, by=WHO)
    _echo_run(history.get_run(current_context(), run_id))


def _follow(view: RunView, *, wait: bool, as_json: bool, told: str) -> None:
    if not as_json:
        click.echo(f"{'すでに受け付けています' if view.already else told}: {view.id}")
    if wait:
        view = _wait(view)
    if as_json:
        _echo_json(view, _failures(view) if wait else [])
    elif wait:
        _echo_run(view)
    raise SystemExit(_exit_code(view) if wait else DONE)


def _wait(view: RunView) -> RunView:
    """Wait until the run is final or waits for a person. Ctrl-C stops the waiting, not the run."""
    with tqdm(total=view.progress.total, desc=view.word.label, bar_format=_BAR, dynamic_ncols=True) as bar:
        while True:
            _draw(bar, view)
            if view.state.is_final or view.state is RunState.PREVIEWED:
                return view
            try:
                time.sleep(POLL_SECONDS)
            except KeyboardInterrupt:
                click.echo(f"\n待つのをやめました。処理は続いています: flask sync show {view.id}", err=True)
                raise SystemExit(130) from None
            view = history.get_run(current_context(), view.id)


def _draw(bar: Any, view: RunView) -> None:
    bar.total, bar.n = view.progress.total, view.progress.done
    bar.bar_format = _BAR if view.progress.total is not None else _UNKNOWN_BAR
    bar.set_description_str(view.word.label, refresh=False)
    bar.set_postfix_str(pace_text(view.progress), refresh=True)


def pace_text(progress: ProgressView) -> str:
    """`2.5件/秒 残り約1分20秒`; parts that are not known are left out."""
    parts = []
    if progress.rate is not None:
        parts.append(f"{progress.rate:.1f}件/秒")
    if progress.eta_seconds is not None:
        minutes, seconds = divmod(round(progress.eta_seconds), 60)
        hours, minutes = divmod(minutes, 60)
        spoken = [f"{n}{unit}" for n, unit in ((hours, "時間"), (minutes, "分"), (seconds, "秒")) if n]
        parts.append(f"残り約{''.join(spoken[:2]) or '0秒'}")
    return " ".join(parts)


def _exit_code(view: RunView) -> int:
    """The exit code: employees who wait for a decision (要確認) did not fail; a run that failed as a whole did."""
    lost = view.state in (RunState.FAILED, RunState.CANCELLED)
    return FAILED if lost or view.counts.get(ItemState.FAILED, 0) else DONE


def _failures(view: RunView) -> list[ItemView]:
    if not view.counts.get(ItemState.FAILED, 0):
        return []
    return [item for item in _items(view.id, state=ItemState.FAILED) if item.counted]


def _items(run_id: str, *, state: ItemState | None = None) -> Iterator[ItemView]:
    after: int | None = None
    while True:
        page = history.list_items(current_context(), run_id, after=after, limit=PAGE, state=state)
        yield from page.items
        after = page.next_after
        if after is None:
            return


def _echo_run(view: RunView) -> None:
    what = "" if view.kind is RunKind.SYNC else f"{view.kind.label}: "
    way = f"{view.direction.source.label} → {view.direction.target.label}"
    click.echo(f"{what}{way}({view.as_of_date} 時点): {view.word.label}")
    if view.counts or not view.error_message:  # a run that was stopped before it tried anybody counts nobody
        counted = (f"{state.label} {people}件" for state, people in in_words(view.counts).items())
        click.echo(" / ".join(counted) or "0件")
    if beside := sum(view.looked_at.values()):
        click.echo(f"選択していない従業員: {beside}件（何も書き込んでいません）")
    for code, people in view.left_out.items():
        click.echo(f"対象外の理由: {wording(DEFAULT).message(code, view)} {people}件")
    if view.only_target_changed:
        click.echo(f"変更なしのうち、反映先だけが変わっています: {view.only_target_changed}件")
    if view.error_message:
        click.echo(f"理由: {view.error_message}")
        click.echo(f"    対処: {view.error_remedy}")
        click.echo(f"    対応する人: {view.error_who.label if view.error_who else ''}")
    _echo_stopped(view)
    if view.state is RunState.PREVIEWED and view.decide_until is not None:
        until = f"{view.decide_until.astimezone(JAPAN):%Y-%m-%d %H:%M}"
        click.echo(
            f"2人目の承認を {until} まで待っています。まだ何も書き込んでいません。別の利用者が画面で承認できます。"
        )
    elif view.state is RunState.PREVIEWED:
        click.echo(f"まだ何も書き込んでいません。承認: flask sync approve {view.id}")
    failures = _failures(view)
    for item in failures[:SHOWN_FAILURES]:
        _echo_failure(item)
    if len(failures) > SHOWN_FAILURES:
        click.echo(f"ほか{len(failures) - SHOWN_FAILURES}件: flask sync show {view.id} --items")


def _echo_stopped(view: RunView) -> None:
    """Which kinds of changes wait for a person, how many people, and where they are decided."""
    for alarm in view.alarms:
        click.echo(f"確認が必要: {wording(DEFAULT).tell(sentence(reason_from_dict(alarm)))}")
    if view.held_run is not None:
        click.echo(f"止めた変更は、決まるまで書き込みません。内容と承認: flask sync show {view.held_run} --items")


def _echo_failure(item: ItemView) -> None:
    click.echo(f"【{item.employee_number}】{item.catalogue_message or item.error_code or '理由不明'}")
    for answer in item.answers:
        click.echo(f"    {_answered(answer)}")
    if item.remedy:
        click.echo(f"    対処: {item.remedy}")
    if item.who:
        click.echo(f"    対応する人: {item.who.label}")


def _answered(answer: AnswerView) -> str:
    vendor = answer.system.label if answer.system else "製品"
    where = "・".join(filter(None, (answer.step_label, *answer.labels)))
    return f"{vendor}の返答{f'（{where}）' if where else ''}: {answer.message or '（説明なし）'}"


def _echo_item(item: ItemView) -> None:
    month = f" {item.pay_month}支払分" if item.pay_month else ""
    beside = "" if item.counted else "（選択していない）"
    click.echo(f"[{item.employee_number}] {item.state.label}{month}{beside}")
    for change in item.changes:
        click.echo(f"    {change.label}: {_shown(change.before)} → {_shown(change.after)}{_mark(change)}")
    for note in item.notes:
        click.echo(f"    注意: {note.message}")


def _shown(value: str | None) -> str:
    return "(空欄)" if value is None else value


def _mark(change: ChangeView) -> str:
    return "(過去の月にもさかのぼります)" if change.retroactive else ""


def _echo_json(view: RunView, items: list[ItemView]) -> None:
    body = response_schemas.RunSchema().dump(serializers.run(view))
    shown = [serializers.item(item, values=True) for item in items]
    body["items"] = response_schemas.ItemSchema(many=True).dump(shown)
    click.echo(json.dumps(body, ensure_ascii=False, indent=2))
