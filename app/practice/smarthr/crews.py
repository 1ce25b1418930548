"""/v1/crews: list, read, create, partial update (PUT is the same), delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.practice.smarthr.errors import Problem
from app.practice.smarthr.fields import WRITABLE
from app.practice.smarthr.lists import asked_for, chosen, in_order, only, page_of
from app.practice.smarthr.rules import Tenant, address_to_store, check_write
from app.practice.smarthr.state import Record, SmartHRState
from app.practice.smarthr.webhooks import Announcer, is_different
from app.practice.vendor_kit.fault_injection import FaultInjector
from app.practice.vendor_kit.unfaithful import kept, told


def sent_object() -> dict[str, Any]:
    """The JSON object of the request. Anything else is a bad request."""
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise Problem("bad_request")
    return sent


def crew_routes(state: SmartHRState, injector: FaultInjector, announcer: Announcer) -> Blueprint:
    routes = Blueprint("practice_smarthr_crews", __name__)

    def answer(crew: Record) -> dict[str, Any]:
        return only(_hidden(state.shown(crew), injector), request.args.get("fields"))

    def stored(crew_id: str) -> Record:
        crew = state.crews.get(crew_id)
        if crew is None:
            raise Problem("not_found")
        return crew

    def announce(event: str, crew: Record) -> None:
        """Send the event's webhooks unless the caller or the switch says otherwise."""
        if injector.switch("webhook_echo") and request.args.get("skip_sending_webhook") != "true":
            announcer.crew(event, crew)

    def changed(crew_id: str, sent: Mapping[str, Any], *, merge: bool, touch: bool = False) -> Record:
        before = stored(crew_id)
        after = state.update(crew_id, sent, merge_addresses=merge, touch=touch)
        if is_different(before, after) or injector.switch("webhook_on_untouched"):
            announce("crew_updated", after)
        return after

    @routes.get("/crews")
    def list_crews(subdomain: str) -> Response:
        query = request.args.to_dict()
        with state.lock:
            rows = state.crews.listed(
                asked_for(query), lambda: in_order(chosen(state.crews.values(), query), query.get("sort"))
            )
            refused = injector.switch("per_page_over_100") == "reject"
            page, headers = page_of(rows, query, url=request.base_url, too_many_refused=refused)
            response = jsonify([answer(each) for each in page])
        response.headers.update(headers)
        return response

    @routes.post("/crews")
    def create_crew(subdomain: str) -> tuple[Response, int, dict[str, str]]:
        sent = _without_hidden(sent_object(), injector)
        with state.lock:
            if injector.switch("plan_limit"):
                raise Problem("plan_limit_exceeded")
            check_crew(sent, {}, state, injector)
            crew = state.create(kept(sent, injector.switch))
            announce("crew_created", crew)
            return (
                jsonify(told(answer(crew), sent, injector.switch)),
                201,
                {"Location": f"{request.base_url}/{crew['id']}"},
            )

    @routes.get("/crews/<crew_id>")
    def read_crew(subdomain: str, crew_id: str) -> Response:
        with state.lock:
            return jsonify(answer(stored(crew_id)))

    @routes.route("/crews/<crew_id>", methods=["PATCH", "PUT"])
    def update_crew(subdomain: str, crew_id: str) -> Response:
        """Change a crew. PUT keeps the attributes that the body leaves out, like PATCH."""
        sent = _without_hidden(sent_object(), injector)
        with state.lock:
            check_crew(sent, stored(crew_id), state, injector)
            merge = injector.switch("nested_address") == "merge"
            touch = injector.switch("untouched_patch") == "touch"
            after = changed(crew_id, kept(sent, injector.switch), merge=merge, touch=touch)
            return jsonify(told(answer(after), sent, injector.switch))

    @routes.delete("/crews/<crew_id>")
    def delete_crew(subdomain: str, crew_id: str) -> tuple[str, int]:
        with state.lock:
            stored(crew_id)
            announce("crew_deleted", state.crews.pop(crew_id))
        return "", 204

    @routes.delete("/crews/<crew_id>/departments")
    def clear_departments(subdomain: str, crew_id: str) -> tuple[str, int]:
        with state.lock:
            changed(crew_id, {"department_ids": []}, merge=False)
        return "", 204

    return routes


def _hidden(crew: dict[str, Any], injector: FaultInjector) -> dict[str, Any]:
    """The crew without what the token may not see: such an attribute is null, or not there at all."""
    hidden = set(injector.switch("hidden_attributes")) - {"id"}
    if injector.switch("hidden_attribute") == "absent":
        return {name: value for name, value in crew.items() if name not in hidden}
    return {name: None if name in hidden else value for name, value in crew.items()}


def _without_hidden(sent: dict[str, Any], injector: FaultInjector) -> dict[str, Any]:
    hidden = set(injector.switch("hidden_attributes"))
    if injector.switch("hidden_write") == "forbid" and hidden & sent.keys():
        raise Problem("forbidden")
    return {name: value for name, value in sent.items() if name not in hidden}


def check_crew(sent: Mapping[str, Any], present: Record, state: SmartHRState, injector: FaultInjector) -> None:
    """Refuse the whole write when one value is wrong. Addresses are judged as they would stand after the write.
    `present`: the stored crew, empty for a new one. Raises Problem."""
    merge = injector.switch("nested_address") == "merge"
    judged = {
        name: address_to_store(value, present.get(name), merge=merge)
        if WRITABLE.get(name) == "address" and isinstance(value, dict) and value
        else value
        for name, value in sent.items()
    }
    if present and injector.switch("former_values") == "accept":
        judged = {name: value for name, value in judged.items() if not state.once_held(present["id"], name, value)}
    errors = check_write(judged, present, _tenant(state, injector, besides=present.get("id")))
    if errors:
        raise Problem("bad_request", errors=errors)


def _tenant(state: SmartHRState, injector: FaultInjector, *, besides: str | None) -> Tenant:
    taken: frozenset[str] = frozenset()
    if injector.switch("duplicate_emp_code") == "reject":
        taken = frozenset(c["emp_code"] for c in state.crews.values() if c.get("emp_code") and c["id"] != besides)
    return Tenant(
        employment_type_ids=frozenset(state.employment_types),
        payment_period_ids=frozenset(state.payment_periods),
        department_ids=frozenset(state.departments),
        job_title_names=frozenset(each["name"] for each in state.job_titles.values()),
        enabled_settings=tuple(each["id"] for each in state.bank_account_settings if each["enabled"]),
        custom_template_ids=frozenset(),
        taken_numbers=taken,
        digits_in_kana=injector.switch("address_kana_digits") == "allow",
        positions_create=bool(injector.switch("positions_create")),
    )
