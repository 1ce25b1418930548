"""What a person at freee's screen or in its developer console does, over HTTP."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.practice.freee.simulator import PracticeFreee


def admin_routes(freee: PracticeFreee) -> Blueprint:
    """Under /_practice/. `pay_month` in the body of an edit is the screen's month (`YYYY-MM`)."""
    routes = Blueprint("freee_control", __name__)

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

    @routes.post("/employees/import")
    def import_rows() -> tuple[Response, int]:
        """`{"rows": [{…}]}`, each a partial employee object."""
        return jsonify(ids=freee.import_rows(request.get_json()["rows"])), 201

    @routes.put("/webhook")
    def webhook() -> Response:
        """`{"url": "…", "token": "…"}`; an empty url = none."""
        sent = request.get_json()
        freee.set_webhook(str(sent["url"]), str(sent.get("token", "")))
        return jsonify(url=sent["url"])

    return routes
