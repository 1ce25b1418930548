"""SmartHR's masters and webhook registrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from app.practice.smarthr.crews import sent_object
from app.practice.smarthr.errors import Problem
from app.practice.smarthr.lists import in_order, page_of
from app.practice.smarthr.state import Record, SmartHRState
from app.practice.smarthr.webhooks import EVENTS

_SORTABLE = ("id", "name", "rank", "code", "position", "number", "created_at", "updated_at")
_JOB_TITLE = {"name": None, "rank": None, "code": None}
_DEPARTMENT = {"name": None, "position": None, "code": None}
_WEBHOOK: dict[str, Any] = {
    "url": None,
    "description": None,
    **dict.fromkeys(EVENTS, False),
    "expose_only_id": False,
    "disabled_at": None,
    "access_type": "read_and_update",
    "secret_token": None,
}


def master_routes(state: SmartHRState) -> Blueprint:
    routes = Blueprint("practice_smarthr_masters", __name__)
    _entries(routes, "job_titles", lambda: state.job_titles)
    _entries(routes, "departments", lambda: state.departments)
    _entries(routes, "employment_types", lambda: state.employment_types)
    _entries(routes, "bank_account_settings", lambda: {each["id"]: each for each in state.bank_account_settings})
    _entries(routes, "webhooks", lambda: state.webhooks)
    _changes(routes, "job_titles", state, lambda: state.job_titles, blank=_JOB_TITLE, check=_check_job_title)
    _changes(routes, "departments", state, lambda: state.departments, blank=_DEPARTMENT, check=_check_department)
    _changes(routes, "webhooks", state, lambda: state.webhooks, blank=_WEBHOOK, check=_check_webhook)
    return routes


def _entries(routes: Blueprint, name: str, master: Callable[[], Mapping[str, Record]]) -> None:
    """The routes GET list and GET by id of one master."""

    def list_all(subdomain: str) -> Response:
        query = request.args.to_dict()
        rows = in_order(list(master().values()), query.get("sort"), names=_SORTABLE)
        if query.get("code") and name == "departments":
            rows = [each for each in rows if each.get("code") == query["code"]]
        page, headers = page_of(rows, query, url=request.base_url)
        response = jsonify([_shown(each) for each in page])
        response.headers.update(headers)
        return response

    def read_one(subdomain: str, entry_id: str) -> Response:
        return jsonify(_shown(_found(master(), entry_id)))

    routes.add_url_rule(f"/{name}", f"list_{name}", list_all, methods=["GET"])
    if name != "bank_account_settings":  # a list only
        routes.add_url_rule(f"/{name}/<entry_id>", f"read_{name}", read_one, methods=["GET"])


def _changes(
    routes: Blueprint,
    name: str,
    state: SmartHRState,
    master: Callable[[], dict[str, Record]],
    *,
    blank: Mapping[str, Any],
    check: Callable[[Mapping[str, Any]], list[dict[str, Any]]],
) -> None:
    """The routes POST, PATCH, PUT and DELETE. PUT is a real replace here: it erases the attributes it leaves out."""

    def wanted(base: Mapping[str, Any]) -> Record:
        sent = {key: value for key, value in sent_object().items() if key in blank}
        values = {**base, **sent}
        errors = check(values)
        if errors:
            raise Problem("bad_request", errors=errors)
        return values

    def create(subdomain: str) -> tuple[Response, int, dict[str, str]]:
        with state.lock:
            entry = state.add_master(master(), wanted(blank))
        return jsonify(_shown(entry)), 201, {"Location": f"{request.base_url}/{entry['id']}"}

    def update(subdomain: str, entry_id: str) -> Response:
        with state.lock:
            entry = _found(master(), entry_id)
            base = blank if request.method == "PUT" else {key: entry.get(key) for key in blank}
            return jsonify(_shown(state.touch(entry, wanted(base))))

    def delete(subdomain: str, entry_id: str) -> tuple[str, int]:
        with state.lock:
            _found(master(), entry_id)
            del master()[entry_id]
        return "", 204

    routes.add_url_rule(f"/{name}", f"create_{name}", create, methods=["POST"])
    routes.add_url_rule(f"/{name}/<entry_id>", f"update_{name}", update, methods=["PATCH", "PUT"])
    routes.add_url_rule(f"/{name}/<entry_id>", f"delete_{name}", delete, methods=["DELETE"])


def _found(master: Mapping[str, Record], entry_id: str) -> Record:
    if entry_id not in master:
        raise Problem("not_found")
    return master[entry_id]


def _shown(entry: Mapping[str, Any]) -> Record:
    """An entry as an answer shows it: without `secret_token`, which is write-only."""
    return {name: value for name, value in entry.items() if name != "secret_token"}


def _fault(message: str, resource: str, field: str) -> list[dict[str, Any]]:
    return [{"message": message, "resource": resource, "field": field}]


def _check_job_title(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(values["name"], str) or not values["name"]:
        return _fault("役職名を入力してください。", "JobTitle", "name")
    rank = values["rank"]
    if rank is not None and not (isinstance(rank, int) and 1 <= rank <= 99_999):
        return _fault("順位は1から99999の範囲で入力してください。", "JobTitle", "rank")
    return []


def _check_department(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(values["name"], str) or not values["name"] or "/" in values["name"]:
        return _fault("部署名は正しい形式で入力してください。", "Department", "name")
    return []


def _check_webhook(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    address = urlsplit(values["url"]) if isinstance(values["url"], str) else None
    if address is None or address.scheme not in ("http", "https") or not address.netloc:
        return _fault("URLは正しい形式で入力してください。", "Webhook", "url")
    switches = [*EVENTS, "expose_only_id"]
    if not all(isinstance(values[name], bool) for name in switches):
        return _fault("イベントは正しい形式で入力してください。", "Webhook", "crew_created")
    return []
