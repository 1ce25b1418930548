"""The resources under /hr/api/v1: each handler checks query or body, then reads or writes the company."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from app.practice.freee import fields as fields
from app.practice.freee.auth import LARGEST, ApiAuth, page_of, query_flag, query_month
from app.practice.freee.checks import Field
from app.practice.freee.company import Record
from app.practice.freee.hiding import as_the_token_sees, untouched
from app.practice.freee.months import Employee, Month
from app.practice.freee.rules import DEPENDENTS, OUTSIDE_PAYROLL, RULES, Refusal, RuleKind
from app.practice.freee.simulator import PracticeFreee
from app.practice.vendor_kit.unfaithful import kept, told

Reply = Response | tuple[Response | str, int]
NOT_FOUND = "指定された従業員が存在しません"
NOT_EMPLOYED = "指定された年月に在籍していない従業員です"


def hr_routes(freee: PracticeFreee, api_auth: ApiAuth, *, me: Callable[[], Record]) -> Blueprint:
    """All resources. `me` makes the answer of users/me."""
    routes = Blueprint("freee_hr", __name__, url_prefix="/hr/api/v1")

    @routes.get("/users/me")
    def users_me() -> Reply:
        return jsonify(me())

    _lists(routes, freee, api_auth)
    _employee(routes, freee, api_auth)
    for kind in RULES.values():
        _rule(routes, freee, api_auth, kind=kind)
    _dependents(routes, freee, api_auth)
    _master(routes, freee, api_auth, kind="group", wanted=fields.GROUP_MASTER)
    _master(routes, freee, api_auth, kind="position", wanted=fields.POSITION_MASTER)
    return routes


def _lists(routes: Blueprint, freee: PracticeFreee, api_auth: ApiAuth) -> None:
    @routes.get("/companies/<int:company_id>/employees")
    def everybody(company_id: int) -> Reply:
        """All people as a bare array, leavers and future joiners included."""
        api_auth.own_company(company_id)
        company = freee.company
        people = page_of(company.everybody(outside_payroll=query_flag("with_no_payroll_calculation")))
        return jsonify(as_the_token_sees([company.listing(each) for each in people], freee.injector))

    @routes.get("/employees")
    def month_list() -> Reply:
        """Full records of those employed in the month; total_count counts all pages."""
        api_auth.query_company()
        month = query_month()
        company = freee.company
        people = company.everybody_in(month, outside_payroll=query_flag("with_no_payroll_calculation"))
        page = as_the_token_sees([company.record(each, month) for each in page_of(people)], freee.injector)
        return jsonify(employees=page, total_count=len(people))


def _employee(routes: Blueprint, freee: PracticeFreee, api_auth: ApiAuth) -> None:
    @routes.post("/employees")
    def create() -> Reply:
        taken = freee.rules.create(api_auth.body().get("employee"))
        person = freee.company.create(taken)
        freee.notices.written("created", person.id)
        made = freee.company.record(person, person.first_closing_month)
        return jsonify(employee=as_the_token_sees(made, freee.injector)), 201

    @routes.get("/employees/<int:employee_id>")
    def show(employee_id: int) -> Reply:
        api_auth.query_company()
        month = query_month()
        person = _known(freee, employee_id)
        if not freee.company.employed([person], month):
            raise Refusal(404, NOT_EMPLOYED)
        return jsonify(employee=as_the_token_sees(freee.company.record(person, month), freee.injector))

    @routes.put("/employees/<int:employee_id>")
    def update(employee_id: int) -> Reply:
        sent = api_auth.body()
        person = _known(freee, employee_id)
        month = _month_of_update(freee, person, sent)
        if not freee.company.employed([person], month):
            raise Refusal(404, NOT_EMPLOYED)
        taken = freee.rules.update(sent.get("employee"), person)
        taken = kept(untouched(taken, person.top, freee.injector), freee.injector.switch)
        freee.company.update(person, taken)
        freee.notices.written("updated", person.id)
        shown = as_the_token_sees(freee.company.record(person, month), freee.injector)
        return jsonify(employee=told(shown, taken, freee.injector.switch))

    @routes.delete("/employees/<int:employee_id>")
    def delete(employee_id: int) -> Reply:
        api_auth.query_company()
        del freee.company.people[_known(freee, employee_id).id]
        freee.notices.written("destroyed", employee_id)
        return "", 204


def _month_of_update(freee: PracticeFreee, person: Employee, sent: Record) -> Month:
    """year and month of PUT /employees/{id}: required for people in payroll, optional for people outside payroll."""
    if not person.in_payroll and "year" not in sent and "month" not in sent:
        return person.first_closing_month
    return _body_month(freee, sent)


def _body_month(freee: PracticeFreee, sent: Record) -> Month:
    taken = freee.rules.body(sent, (fields.YEAR, fields.MONTH))
    return Month(taken["year"], taken["month"])


def _known(freee: PracticeFreee, employee_id: int, *, status: int = 404) -> Employee:
    if not 1 <= employee_id <= LARGEST:
        raise Refusal(400, "idの値が不正です")
    person = freee.company.people.get(employee_id)
    if person is None:
        raise Refusal(status, NOT_FOUND)
    return person


def _sub_resource_owner(freee: PracticeFreee, employee_id: int, month: Month) -> Employee:
    """The person whose rule the call names.

    An unknown person and a person not employed in that month are answered alike (by a switch); a person outside
    payroll is answered with 400.
    """
    status = freee.injector.switch("unknown_employee_subresource")
    person = _known(freee, employee_id, status=status)
    if not person.in_payroll:
        raise Refusal(400, OUTSIDE_PAYROLL)
    if not freee.company.employed([person], month):
        raise Refusal(status, NOT_EMPLOYED)
    return person


def _rule(routes: Blueprint, freee: PracticeFreee, api_auth: ApiAuth, *, kind: RuleKind) -> None:
    path = f"/employees/<int:employee_id>/{kind.name}"

    def show(employee_id: int) -> Reply:
        api_auth.query_company()
        month = query_month()
        person = _sub_resource_owner(freee, employee_id, month)
        return jsonify({kind.wrapper: as_the_token_sees(freee.company.rule(person, kind, month), freee.injector)})

    def put(employee_id: int) -> Reply:
        sent = api_auth.body()
        month = _body_month(freee, sent)
        person = _sub_resource_owner(freee, employee_id, month)
        taken = freee.rules.rule(kind, sent.get(kind.wrapper), employee=person)
        sent_in = untouched(taken, person.rule(kind.name, month), freee.injector)
        freee.company.put_rule(person, kind, month, taken=kept(sent_in, freee.injector.switch))
        freee.notices.written("updated", person.id)
        shown = as_the_token_sees(freee.company.rule(person, kind, month), freee.injector)
        return jsonify({kind.wrapper: told(shown, sent_in, freee.injector.switch) if shown else shown})

    routes.add_url_rule(path, f"show_{kind.name}", show, methods=["GET"])
    routes.add_url_rule(path, f"put_{kind.name}", put, methods=["PUT"])


def _dependents(routes: Blueprint, freee: PracticeFreee, api_auth: ApiAuth) -> None:
    wrapper = fields.DEPENDENTS.name

    @routes.get(f"/employees/<int:employee_id>/{DEPENDENTS}")
    def show_dependents(employee_id: int) -> Reply:
        api_auth.query_company()
        month = query_month()
        person = _sub_resource_owner(freee, employee_id, month)
        return jsonify({wrapper: freee.company.dependents(person, month)})

    @routes.put(f"/employees/<int:employee_id>/{DEPENDENTS}/bulk_update")
    def put_dependents(employee_id: int) -> Reply:
        sent = api_auth.body()
        month = _body_month(freee, sent)
        person = _sub_resource_owner(freee, employee_id, month)
        listed = freee.rules.body(sent, (fields.DEPENDENTS,))[wrapper]
        entries = [freee.rules.dependent(each) for each in listed]
        freee.company.put_dependents(person, month, entries=entries)
        freee.notices.written("updated", person.id)
        return jsonify({wrapper: freee.company.dependents(person, month)})


def _master(
    routes: Blueprint, freee: PracticeFreee, api_auth: ApiAuth, *, kind: str, wanted: tuple[Field, ...]
) -> None:
    def listing() -> Reply:
        api_auth.query_company()
        every = freee.company.masters[kind]
        return jsonify({f"{kind}s": every, "total_count": len(every)})

    def create() -> Reply:
        sent: dict[str, Any] = api_auth.body()
        taken = freee.rules.body(sent.get(kind), wanted)
        return jsonify({kind: freee.company.add_master(kind, taken)}), 201

    routes.add_url_rule(f"/{kind}s", f"list_{kind}s", listing, methods=["GET"])
    routes.add_url_rule(f"/{kind}s", f"create_{kind}", create, methods=["POST"])
