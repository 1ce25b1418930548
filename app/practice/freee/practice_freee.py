"""The practice company's freee人事労務: `create_freee(company)` gives a Flask app with /hr/api/v1 and /public_api.

In a test: `freee = freee_of(app)`, then `freee.edit(5001, {"profile_rule": {"title": "部長"}})`,
`freee.employee(5001)`, `freee.expire_access_tokens()`, `freee.webhooks.wait_idle(5)`; faults, switches and the request
log are the injector's (`freee.injector`). Over HTTP the routes of `admin_ui` and of `webhooks` come besides.
What freee does not document is a switch (`SWITCHES`), whose default is the likelier reading.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask

from app.practice.freee import auth, hiding, oauth
from app.practice.freee.admin_ui import admin_routes
from app.practice.freee.auth import ApiAuth
from app.practice.freee.company import Record
from app.practice.freee.desk import FreeeDesk
from app.practice.freee.oauth import oauth_routes
from app.practice.freee.registration import Registration
from app.practice.freee.routes import hr_routes
from app.practice.freee.simulator import PracticeFreee
from app.practice.freee.webhooks import WebhookAddress
from app.practice.pages.screens import people_pages
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.fault_injection import CONTROL, FaultInjector, Switch
from app.practice.vendor_kit.limits import REAL, Clock, FreeeLimits, Rates
from app.practice.vendor_kit.switch_page import mishaps, switch_routes
from app.practice.vendor_kit.unfaithful import SWITCHES as UNFAITHFUL_SWITCHES
from app.practice.vendor_kit.webhook_schedule import FREEE as WEBHOOK_SWITCHES
from app.practice.vendor_kit.webhooks import webhook_routes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SWITCHES = (
    *auth.SWITCHES,
    *oauth.SWITCHES,
    Switch("omitted_field", "keep", ("keep", "clear"), note="what a PUT does to the fields it leaves out"),
    Switch("null_on_non_nullable", "reject", ("reject", "clear"), note="null where the contract does not allow it"),
    Switch("num_unique", False, note="whether two people may share a 従業員番号"),
    Switch("kana", "strict_fullwidth", ("strict_fullwidth", "any"), note="characters of kana fields"),
    Switch("omitted_dependents", "keep", ("keep", "delete"), note="family members a bulk_update does not name"),
    Switch("unknown_employee_subresource", 400, (400, 404), note="unknown person, or not employed in that month"),
    Switch("gender_month", "global", ("global", "monthly"), note="whether the gender reaches past months"),
    Switch("employment_month", "period", ("period", "calendar"), note="the month by which people are hidden"),
    Switch("rules_of_new_employee", "empty", ("empty", "null"), note="insurance and bank rules after a create"),
    Switch("outside_payroll_profile", "null", ("null", "object"), note="profile_rule of people outside payroll"),
    Switch("payslip_fixed", False, note="payslips are 確定: 締め日支払い日 cannot be changed"),
    *hiding.SWITCHES,
    Switch("list_order", "id", ("id", "reverse"), note="no order of lists is documented"),
    *UNFAITHFUL_SWITCHES,
    *WEBHOOK_SWITCHES,
)


def create_freee(
    company: PracticeCompany,
    switches: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    *,
    rates: Rates = REAL,
    log_file: Path | None = None,
    webhook_url: str = "",
    webhook_token: str = "",
    beside: Flask | None = None,
) -> Flask:
    """The simulator as a WSGI app. `clock`: epoch seconds, for tokens and limits. `beside`: another company's app,
    with which this one shares the registered application, its webhook address included. Raises BadSwitch."""
    now = clock or time.time
    injector = FaultInjector(SWITCHES, log_file=log_file, company=str(company.tenant.company_id))
    injector.set_switches(switches or {}, as_default=True)
    shared = Registration(now, WebhookAddress(webhook_url, webhook_token))
    registration = freee_of(beside).registration if beside else shared
    limits = FreeeLimits(rates, clock=now)
    freee = PracticeFreee(company, injector, clock=now, limits=limits, registration=registration)
    registration.companies.append(freee)
    app = Flask(__name__, static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["freee"] = freee
    app.extensions["webhooks"] = freee.webhooks
    api_auth = ApiAuth(
        company_id=company.tenant.company_id,
        desk=lambda: freee.desk,
        limits=freee.limits,
        switch=injector.switch,
    )
    hr = hr_routes(freee, api_auth, me=lambda: _me(registration))
    api_auth.guard(app, hr)
    app.register_blueprint(hr)
    app.register_blueprint(admin_routes(freee), url_prefix=CONTROL.rstrip("/"))
    app.register_blueprint(people_pages(FreeeDesk(freee)), url_prefix=CONTROL.rstrip("/"))
    offered = mishaps(update="PUT", create="POST", update_path="/employees/", create_path="/employees$")
    page = switch_routes(injector, title="freee人事労務(練習用)", offered=offered)
    app.register_blueprint(page, url_prefix=CONTROL.rstrip("/"))
    app.register_blueprint(webhook_routes(freee.webhooks), url_prefix=CONTROL.rstrip("/"))
    accounts = oauth_routes(
        registration.client_of(freee),
        desk=lambda: freee.desk,
        switch=injector.switch,
        limit=lambda: freee.token_limit,
        choices=registration.choices,
    )
    app.register_blueprint(accounts)
    app.wsgi_app = _one_at_a_time(app.wsgi_app, freee.lock)  # type: ignore[assignment,method-assign]
    injector.attach(app, state=freee.dump, on_reset=freee.reset)
    return app


def _one_at_a_time(app: WSGIApplication, lock: threading.RLock) -> WSGIApplication:
    """Run every request alone, so that the state needs no further locks. Faults and their delays stay outside."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return app(environ, start_response)

    return call


def freee_of(app: Flask) -> PracticeFreee:
    """The simulator behind an app made by `create_freee`."""
    freee: PracticeFreee = app.extensions["freee"]
    return freee


def _me(registration: Registration) -> Record:
    """GET users/me: every company of the user, not only the token's own; the right company is not the first."""
    foreign = _membership(7_654_321, "別の会社株式会社", external_cid="9999999999", role="self_only", employee_id=31)
    own = [
        _membership(
            each.tenant.company_id,
            each.tenant.company_name,
            external_cid=each.tenant.external_cid,
            role=each.injector.switch("role"),
        )
        for each in registration.companies
    ]
    return {"id": 77, "companies": [foreign, *own]}


def _membership(company_id: int, name: str, *, external_cid: str, role: str, employee_id: int | None = None) -> Record:
    return {
        "id": company_id,
        "name": name,
        "role": role,
        "external_cid": external_cid,
        "employee_id": employee_id,
        "display_name": "連携 担当" if employee_id else None,
    }
