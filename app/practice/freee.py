"""The practice company's freee人事労務: `create_freee(company)` gives a Flask app with /hr/api/v1 and /public_api.

In a test: `freee = freee_of(app)`, then `freee.edit(5001, {"profile_rule": {"title": "部長"}})`,
`freee.employee(5001)`, `freee.expire_access_tokens()`; faults, switches and the request log are the wire's
(`freee.wire`). Over HTTP besides the wire's routes: `POST /_practice/employees`, `POST` and `DELETE` of
`/_practice/employees/<id>`, `POST /_practice/tokens`.
What is not documented is a switch (`SWITCHES`), its default the likelier reading. Webhooks are not sent.
Rules and sources: freee-hr-api.md, above all section 15.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, jsonify, request

from app.practice import freee_gate, freee_oauth, staff
from app.practice.freee_company import FreeeCompany, Record
from app.practice.freee_gate import Gate
from app.practice.freee_months import Month, PayGroup
from app.practice.freee_oauth import TokenDesk, oauth_routes
from app.practice.freee_routes import hr_routes
from app.practice.freee_rules import House, Rules
from app.practice.keeping import Memory
from app.practice.limits import REAL, Clock, FreeeLimits, Rates
from app.practice.staff import PracticeCompany
from app.practice.wire import CONTROL, Switch, Wire

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COMPANY_NAME = "練習商事株式会社"

SWITCHES = (
    *freee_gate.SWITCHES,
    *freee_oauth.SWITCHES,
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
    Switch("list_order", "id", ("id", "reverse"), note="no order of lists is documented"),
)


class PracticeFreee:
    """The simulator's state and what a test or a person at the screen does to it. Every method locks."""

    def __init__(self, company: PracticeCompany, wire: Wire, *, clock: Clock, limits: FreeeLimits) -> None:
        self.wire = wire
        self.lock = threading.RLock()
        self.limits = limits
        self.house = House(
            groups={each["name"]: PayGroup(**each) for each in company.groups},
            working_hours=tuple(each["name"] for each in company.working_hours_systems),
            flextime=frozenset(each["name"] for each in company.working_hours_systems if each["flextime"]),
        )
        self.rules = Rules(self.house, wire.switch)
        self._source = company
        self._clock = clock
        self.company: FreeeCompany
        self.desk: TokenDesk
        self.reset()

    def reset(self) -> None:
        """People, tokens and limits as at the start."""
        with self.lock:
            self.company, self.desk = self._empty()
            self.company.seed(self._source.employees)
            self.desk.start_with(staff.FREEE_ACCESS_TOKEN, staff.FREEE_REFRESH_TOKEN)
            self.limits.reset()

    @property
    def memory(self) -> Memory:
        """What survives a restart: people with their months, masters, tokens; not switches, faults, limits, the log."""
        return Memory(self.lock, give=self._kept, take=self._take)

    def _kept(self) -> Record:
        return {"company": self.company.kept(), "desk": self.desk.kept()}

    def _take(self, kept: Mapping[str, Any]) -> None:
        company, desk = self._empty()
        company.take(kept["company"])
        desk.take(kept["desk"])
        self.company, self.desk = company, desk

    def _empty(self) -> tuple[FreeeCompany, TokenDesk]:
        company = FreeeCompany(staff.FREEE_COMPANY_ID, self.house, self.wire.switch)
        return company, TokenDesk(clock=self._clock, seal=staff.FREEE_CLIENT_SECRET)

    def dump(self) -> Record:
        with self.lock:
            return {**self.company.dump(), "tokens": self.desk.dump()}

    # ── a person at the screen ────────────────────────────────────────────────────────────────────────────────────

    def edit(self, employee_id: int, changes: Mapping[str, Any], *, pay_month: Month | str | None = None) -> None:
        """Change one person without the API: top-level names and (partial) rule objects.

        `pay_month` (Month or `YYYY-MM`) is the screen's month; None = from the first month on.
        Raises KeyError (unknown person or group), ValueError (unknown name).
        """
        month = Month.parse(pay_month) if isinstance(pay_month, str) else pay_month
        with self.lock:
            self.company.edit(employee_id, changes, pay_month=month)

    def add(self, record: Mapping[str, Any]) -> int:
        """One more person, from a full or partial employee object; returns the id."""
        with self.lock:
            return self.company.add(record).id

    def remove(self, employee_id: int) -> None:
        """Raises KeyError."""
        with self.lock:
            del self.company.people[employee_id]

    def employee(self, employee_id: int, *, month: tuple[int, int] | None = None) -> Record:
        """The employee object as of a closing month, hidden or not; None = the month of entry. Raises KeyError."""
        with self.lock:
            person = self.company.people[employee_id]
            return self.company.record(person, Month(*month) if month else person.first_closing_month)

    def ids_by_num(self, num: str) -> list[int]:
        with self.lock:
            return [each.id for each in self.company.people.values() if each.top["num"] == num]

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────

    def expire_access_tokens(self) -> None:
        with self.lock:
            self.desk.kill_access()

    def revoke_all_tokens(self) -> None:
        with self.lock:
            self.desk.revoke_all()


def create_freee(
    company: PracticeCompany,
    switches: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    *,
    rates: Rates = REAL,
    log_file: Path | None = None,
) -> Flask:
    """The simulator as a WSGI app. `clock`: epoch seconds, for tokens and limits. Raises BadSwitch."""
    now = clock or time.time
    wire = Wire(SWITCHES, log_file=log_file)
    wire.set_switches(switches or {}, as_default=True)
    freee = PracticeFreee(company, wire, clock=now, limits=FreeeLimits(rates, clock=now))
    app = Flask(__name__, static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["freee"] = freee
    gate = Gate(company_id=staff.FREEE_COMPANY_ID, desk=lambda: freee.desk, limits=freee.limits, switch=wire.switch)
    hr = hr_routes(freee, gate, me=_me)
    gate.guard(app, hr)
    app.register_blueprint(hr)
    app.register_blueprint(_control_routes(freee))
    registered = freee_oauth.App(
        staff.FREEE_CLIENT_ID,
        staff.FREEE_CLIENT_SECRET,
        staff.FREEE_COMPANY_ID,
        COMPANY_NAME,
        staff.FREEE_EXTERNAL_CID,
    )
    app.register_blueprint(oauth_routes(registered, desk=lambda: freee.desk, switch=wire.switch))
    app.wsgi_app = _one_at_a_time(app.wsgi_app, freee.lock)  # type: ignore[assignment,method-assign]
    wire.attach(app, state=freee.dump, on_reset=freee.reset)
    return app


def _one_at_a_time(app: WSGIApplication, lock: threading.RLock) -> WSGIApplication:
    """Every request runs alone: the state needs no further locks. Faults and their delays stay outside."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return app(environ, start_response)

    return call


def freee_of(app: Flask) -> PracticeFreee:
    """The simulator behind an app of ours."""
    freee: PracticeFreee = app.extensions["freee"]
    return freee


def _me(role: str) -> Record:
    """GET users/me: every company of the user, whatever the token was given for; the right one is not the first."""
    return {
        "id": 77,
        "companies": [
            _membership(7_654_321, "別の会社株式会社", external_cid="9999999999", role="self_only", employee_id=31),
            _membership(staff.FREEE_COMPANY_ID, COMPANY_NAME, external_cid=staff.FREEE_EXTERNAL_CID, role=role),
        ],
    }


def _membership(company_id: int, name: str, *, external_cid: str, role: str, employee_id: int | None = None) -> Record:
    return {
        "id": company_id,
        "name": name,
        "role": role,
        "external_cid": external_cid,
        "employee_id": employee_id,
        "display_name": "連携 担当" if employee_id else None,
    }


def _control_routes(freee: PracticeFreee) -> Blueprint:
    """The screen over HTTP. `pay_month` in the body of an edit is the screen's month (`YYYY-MM`)."""
    routes = Blueprint("freee_control", __name__, url_prefix=CONTROL.rstrip("/"))

    @routes.errorhandler(KeyError)
    @routes.errorhandler(ValueError)
    def refuse(error: Exception) -> tuple[Response, int]:
        return jsonify(message=str(error)), 404 if isinstance(error, KeyError) else 400

    @routes.post("/employees")
    def add() -> tuple[Response, int]:
        return jsonify(id=freee.add(request.get_json())), 201

    @routes.post("/employees/<int:employee_id>")
    def edit(employee_id: int) -> Response:
        changes = dict(request.get_json())
        freee.edit(employee_id, changes, pay_month=changes.pop("pay_month", None))
        return jsonify(freee.employee(employee_id))

    @routes.delete("/employees/<int:employee_id>")
    def remove(employee_id: int) -> tuple[str, int]:
        freee.remove(employee_id)
        return "", 204

    @routes.post("/tokens")
    def tokens() -> tuple[str, int]:
        """`{"action": "expire"}` (access tokens) or `{"action": "revoke"}` (all pairs)."""
        actions = {"expire": freee.expire_access_tokens, "revoke": freee.revoke_all_tokens}
        actions[request.get_json()["action"]]()
        return "", 204

    return routes
