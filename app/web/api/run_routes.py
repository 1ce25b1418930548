"""/api/v1/runs: start, follow, approve, repeat and cancel runs; /api/v1/employees: the employees a run would offer."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.domain.enums import Trigger
from app.domain.runs.commands import StartRun
from app.use_cases.accounts.api_keys import Scope
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake import start_run as intake
from app.use_cases.intake import undo as undoing
from app.use_cases.intake.offered import offered_employees
from app.use_cases.queries import history
from app.use_cases.shared.views import RunView
from app.web.api import request_schemas, response_schemas, serializers
from app.web.api.operation import make_blueprint, operation
from app.web.current import current_context
from app.web.http.bearer_auth import known_caller, may_see_values
from app.web.http.vendor_turns import ask_vendor

runs = make_blueprint("runs", description="同期の実行")
employees = make_blueprint("employees", description="同期の対象になる従業員")

_RUN_GONE = "run_not_found"
_START = (
    "unknown_connection",
    "idempotency_conflict",
    "survey_open",
    "needs_consent",
    "compare_first",
    "connection_paused",
    "export_settings_incomplete",
    "as_of_date_out_of_range",
    "too_many_employees",
    "blank_employee_number",
    "duplicate_employee_number",
    "unknown_employee_number",
    "accounts_scope_missing",
)


@operation(
    runs,
    "POST",
    "/runs",
    scope=Scope.RUNS_WRITE,
    body=request_schemas.StartRunSchema,
    headers=request_schemas.IdempotencySchema,
    answer=response_schemas.StartedRunSchema,
    location=True,
    codes=_START,
)
def start_run(body: dict[str, Any], headers: dict[str, Any]) -> Any:
    """同期を始める

    受け付けた実行を返します。進み具合は Location のアドレスで確かめられます。

    dry_run の差分を調べている間に、同じ接続、向き、基準日、従業員で頼むと、その実行を返します(already が true)。
    別の内容で頼むと survey_open で断ります。
    """
    ctx = current_context()
    command = StartRun(
        connection_key=body["connection"],
        direction=body["direction"],
        as_of_date=body["as_of_date"],
        employees=body["employees"],
        dry_run=body["dry_run"],
        trigger=Trigger.API,
        started_by=_who(),
        idempotency_key=headers.get("idempotency_key"),
        acknowledged=body["acknowledge_mass_change"],
    )
    if command.employees is None:
        return _accepted(intake.start_run(ctx, command))
    return _accepted(ask_vendor(lambda: intake.start_run(ctx, command)))  # a number may have to be looked up


@operation(
    runs,
    "GET",
    "/runs",
    scope=Scope.RUNS_READ,
    query=request_schemas.RunListSchema,
    answer=response_schemas.RunPageSchema,
    codes=("unknown_connection",),
)
def list_runs(query: dict[str, Any]) -> Any:
    """実行の一覧(新しい順)"""
    page = history.list_runs(
        current_context(), after=query.get("after"), limit=query["limit"], connection=query.get("connection")
    )
    return serializers.run_page(page)


@operation(
    runs,
    "GET",
    "/runs/<public_id:run_id>",
    scope=Scope.RUNS_READ,
    answer=response_schemas.RunSchema,
    codes=(_RUN_GONE,),
)
def show_run(run_id: str) -> Any:
    """実行の状態と進み具合"""
    return serializers.run(history.get_run(current_context(), run_id))


@operation(
    runs,
    "GET",
    "/runs/<public_id:run_id>/items",
    scope=Scope.RUNS_READ,
    query=request_schemas.ItemListSchema,
    answer=response_schemas.ItemPageSchema,
    codes=(_RUN_GONE,),
)
def list_items(query: dict[str, Any], run_id: str) -> Any:
    """従業員ごとの結果と差分"""
    page = history.list_items(
        current_context(), run_id, after=query.get("after"), limit=query["limit"], state=query.get("state")
    )
    return serializers.item_page(page, values=may_see_values())


@operation(
    runs,
    "POST",
    "/runs/<public_id:run_id>/approve",
    scope=Scope.RUNS_WRITE,
    body=request_schemas.ApproveSchema,
    answer=response_schemas.RunSchema,
    location=True,
    codes=(
        _RUN_GONE,
        "not_previewed",
        "shown_otherwise",
        "nobody_chosen",
        "not_waiting",
        "not_held",
        "mass_change",
        "accounts_scope_missing",
        "second_person_no_user",
        "second_person_expired",
        "needs_consent",
        "connection_paused",
        "unknown_connection",
    ),
)
def approve(body: dict[str, Any], run_id: str) -> Any:
    """確認待ちの実行を承認して、書き込みを始める

    対象は確認で選ばれている従業員です。employees を指定すると、その従業員だけになります。
    取得元へ反映できない値が反映先にある項目(held)は、overwrite に挙げたものだけを書き換えます。
    """
    approve_retry_cancel.approve(
        current_context(),
        run_id,
        by=_who(),
        acknowledged=body["acknowledge_mass_change"],
        employees=body.get("employees"),
        overwrite=body.get("overwrite"),
        shown=body.get("shown"),
    )
    return _accepted(history.get_run(current_context(), run_id))


@operation(
    runs,
    "POST",
    "/runs/<public_id:run_id>/retry",
    scope=Scope.RUNS_WRITE,
    answer=response_schemas.StartedRunSchema,
    location=True,
    codes=(_RUN_GONE, "run_not_finished", "nothing_to_retry", *_START),
)
def retry(body: dict[str, Any], run_id: str) -> Any:
    """失敗した従業員だけを新しい実行で繰り返す

    一つの実行を繰り返す実行は一つです。もう一度頼むと、その実行を返します(already が true)。そこで失敗した従業員は、
    その実行をもう一度行います。取り消したものは数えません。
    """
    return _accepted(approve_retry_cancel.retry(current_context(), run_id, by=_who()))


@operation(
    runs,
    "POST",
    "/runs/<public_id:run_id>/undo",
    scope=Scope.RUNS_WRITE,
    answer=response_schemas.StartedRunSchema,
    location=True,
    codes=(
        _RUN_GONE,
        "run_not_finished",
        "nothing_to_undo",
        "values_erased",
        "needs_consent",
        "connection_paused",
        "unknown_connection",
    ),
)
def undo(body: dict[str, Any], run_id: str) -> Any:
    """終わった実行が書き込んだ値を元に戻す

    元に戻す内容の確認を返します。承認するまで何も書き込みません。登録した従業員は削除しません。
    終わっていない、元に戻す実行があれば、それを返します(already が true)。
    """
    return _accepted(undoing.undo(current_context(), run_id, by=_who()))


@operation(
    runs,
    "POST",
    "/runs/<public_id:run_id>/cancel",
    scope=Scope.RUNS_WRITE,
    answer=response_schemas.RunSchema,
    location=True,
    codes=(_RUN_GONE, "run_finished", "second_person_no_user"),
)
def cancel(body: dict[str, Any], run_id: str) -> Any:
    """まだ始まっていない従業員の処理を取り消す"""
    approve_retry_cancel.cancel(current_context(), run_id, by=_who())
    return _accepted(history.get_run(current_context(), run_id))


@operation(
    employees,
    "GET",
    "/employees",
    scope=Scope.EMPLOYEES_READ,
    query=request_schemas.OfferedQuerySchema,
    answer=response_schemas.OfferedSchema,
    codes=("unknown_connection", "conflict"),
)
def list_employees(query: dict[str, Any]) -> Any:
    """基準日に同期の対象になる従業員"""
    ctx, key, direction = current_context(), query["connection"], query["direction"]
    on, number = query["as_of_date"], query.get("employee_number")
    found = ask_vendor(lambda: offered_employees(ctx, key, as_of_date=on, direction=direction, number=number))
    return serializers.listed(found)


def _accepted(view: RunView) -> Any:
    return serializers.run(view), 202, {"Location": url_for("runs.show_run", run_id=view.id)}


def _who() -> str:
    key = known_caller()
    return f"key:{key.prefix}" if key else "api"
