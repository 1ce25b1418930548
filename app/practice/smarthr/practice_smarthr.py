"""A SmartHR tenant with the real one's rules, spoken to over HTTP.

`create_smarthr(company)` gives a Flask app; `smarthr_of(app)` gives what a test or a person at the screen can do with
it. What the vendor does not document is a switch, whose default is the position that we judge more likely.
Not simulated: dependents, payslips, changes booked ahead (but the nightly 退職済 after a future 退職年月日 is).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, g, jsonify, request
from werkzeug.exceptions import HTTPException

from app.practice.pages.screens import people_pages
from app.practice.smarthr.admin_ui import admin_routes
from app.practice.smarthr.crews import crew_routes
from app.practice.smarthr.desk import SmartHRDesk
from app.practice.smarthr.errors import INACTIVE, Problem
from app.practice.smarthr.lists import BadQuery
from app.practice.smarthr.masters import master_routes
from app.practice.smarthr.simulator import PracticeSmartHR
from app.practice.smarthr.state import SmartHRState
from app.practice.smarthr.webhooks import Announcer
from app.practice.staff.practice_company import PracticeCompany
from app.practice.staff.tenants import Tenant
from app.practice.vendor_kit.fault_injection import CONTROL, FaultInjector, Switch
from app.practice.vendor_kit.limits import REAL, Rates, SmartHRLimits
from app.practice.vendor_kit.switch_page import mishaps, switch_routes
from app.practice.vendor_kit.unfaithful import SWITCHES as UNFAITHFUL_SWITCHES
from app.practice.vendor_kit.webhook_schedule import SMARTHR as WEBHOOK_SWITCHES
from app.practice.vendor_kit.webhooks import webhook_routes

SWITCHES = (
    Switch("maintenance", False, note="503 code 9 on everything"),
    Switch("inactive_subdomain", False, note="the tenant was renamed: bare 400"),
    Switch("ip_not_permitted", False, note="403 code 15"),
    Switch("token_revoked", False, note="401 code 2"),
    Switch("plan_limit", False, note="403 code 7 on POST /v1/crews"),
    Switch("forbidden", (), None, note="resources without permission: crews, crews:write, job_titles, …: 403 code 3"),
    Switch("hidden_attributes", (), None, note="attributes the token may not see or write"),
    Switch("hidden_attribute", "null", ("null", "absent"), note="how a hidden attribute reads"),
    Switch("hidden_write", "ignore", ("ignore", "forbid"), note="what writing a hidden attribute does"),
    Switch("duplicate_emp_code", "allow", ("allow", "reject"), note="two crews with one 社員番号"),
    Switch("nested_address", "replace", ("replace", "merge"), note="parts of an address that are left out"),
    Switch("address_kana_digits", "allow", ("allow", "reject"), note="digits and hyphens in the reading"),
    Switch("former_values", "accept", ("accept", "check"), note="a value this crew has held before, in no usual form"),
    Switch("positions_create", True, note="whether unknown names in `positions` become 役職"),
    Switch("per_page_over_100", "cap", ("cap", "reject")),
    Switch("untouched_patch", "keep", ("keep", "touch"), note="updated_at after a PATCH that changes nothing"),
    *UNFAITHFUL_SWITCHES,
    *WEBHOOK_SWITCHES,
)


def create_smarthr(
    company: PracticeCompany,
    switches: Mapping[str, Any] | None = None,
    *,
    rates: Rates = REAL,
    clock: Callable[[], float] = time.time,
    log_file: Path | None = None,
) -> Flask:
    """The company's tenant under /<subdomain>/api. `clock` gives epoch seconds, for limits and timestamps."""
    app = Flask("practice_smarthr")
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    state = SmartHRState(company, clock=clock)
    limits = SmartHRLimits(rates, clock=clock)
    injector = FaultInjector(SWITCHES, log_file=log_file, company=company.tenant.subdomain)
    injector.set_switches(switches or {}, as_default=True)
    announcer = Announcer(state, injector)
    app.extensions["webhooks"] = announcer.deliverer
    app.extensions["smarthr"] = smarthr = PracticeSmartHR(state, injector, announcer)
    base = "/<subdomain>/api/v1"
    app.register_blueprint(crew_routes(state, injector, announcer), url_prefix=base)
    app.register_blueprint(master_routes(state), url_prefix=base)
    app.register_blueprint(admin_routes(smarthr), url_prefix=CONTROL.rstrip("/"))
    app.register_blueprint(people_pages(SmartHRDesk(smarthr, company.tenant)), url_prefix=CONTROL.rstrip("/"))
    offered = mishaps(update="PATCH", create="POST", update_path="/crews/", create_path="/crews$")
    page = switch_routes(injector, title="SmartHR(練習用)", offered=offered)
    app.register_blueprint(page, url_prefix=CONTROL.rstrip("/"))
    app.register_blueprint(webhook_routes(announcer.deliverer), url_prefix=CONTROL.rstrip("/"))
    app.register_blueprint(_auth(injector, limits, smarthr.new_day, company.tenant))

    def start_again() -> None:
        state.load()
        limits.reset()
        announcer.deliverer.clear()

    injector.attach(app, state=state.dump, on_reset=start_again)
    return app


def smarthr_of(app: Flask) -> PracticeSmartHR:
    """The tenant behind an app made by `create_smarthr`."""
    smarthr: PracticeSmartHR = app.extensions["smarthr"]
    return smarthr


def _auth(injector: FaultInjector, limits: SmartHRLimits, new_day: Callable[[], None], tenant: Tenant) -> Blueprint:
    """The checks of every vendor call before its own work, and the headers and error answers after it."""
    auth = Blueprint("practice_smarthr_gate", __name__)

    @auth.before_app_request
    def check() -> None:
        new_day()
        if request.path.startswith(CONTROL):
            return
        subdomain, _, rest = request.path.lstrip("/").partition("/")
        if subdomain != tenant.subdomain or injector.switch("inactive_subdomain"):
            abort(_bare_refusal(subdomain))
        token = _token()
        verdict = limits.check(token or "none")
        g.rate_headers = verdict.headers
        if injector.switch("maintenance"):
            raise Problem("service_maintenance")
        if token != tenant.smarthr_token or injector.switch("token_revoked"):
            raise Problem("unauthorized_token")
        if injector.switch("ip_not_permitted"):
            raise Problem("ip_not_permitted")
        if verdict.refused:
            raise Problem("too_many_requests")
        _check_permission(rest, injector.switch("forbidden"))

    @auth.after_app_request
    def tell_limits(response: Response) -> Response:
        response.headers.update(g.get("rate_headers", {}))
        if response.mimetype == "application/json":
            response.headers["Content-Type"] = "application/json;charset=utf-8"
        return response

    @auth.app_errorhandler(Problem)
    def explain(problem: Problem) -> tuple[Response, int]:
        return jsonify(problem.envelope), problem.status

    @auth.app_errorhandler(BadQuery)
    def explain_query(error: BadQuery) -> tuple[Response, int]:
        fault = {"message": f"{error.name}は正しい形式で入力してください。", "resource": None, "field": error.name}
        problem = Problem("bad_request", errors=[fault])
        return jsonify(problem.envelope), problem.status

    @auth.app_errorhandler(HTTPException)
    def explain_http(error: HTTPException) -> Any:
        if error.response is not None or request.path.startswith(CONTROL):
            return error
        known = {404: "not_found", 405: "not_found", 500: "internal_server_error"}
        problem = Problem(known.get(error.code or 500, "bad_request"))
        return jsonify(problem.envelope), problem.status

    return auth


def _bare_refusal(subdomain: str) -> Response:
    """The refusal of an unknown or inactive subdomain, which does not have the usual envelope."""
    response = jsonify(message=INACTIVE.format(subdomain=subdomain))
    response.status_code = 400
    return response


def _token() -> str:
    """The request's token: bearer, or basic with the token as user name; "" without one."""
    if request.authorization is None:
        return ""
    if request.authorization.type == "bearer":
        return request.authorization.token or ""
    return str(request.authorization.username or "")


def _check_permission(path: str, forbidden: tuple[str, ...]) -> None:
    """`path` is "api/v1/<resource>…". A resource alone forbids reading and writing, "…:write" only writing."""
    resource = path.removeprefix("api/v1/").partition("/")[0]
    writes = request.method not in ("GET", "HEAD")
    if resource in forbidden or (writes and f"{resource}:write" in forbidden):
        raise Problem("forbidden")
