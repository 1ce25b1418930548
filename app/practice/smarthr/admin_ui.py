"""What a person at SmartHR's screen does, over HTTP: edits, file imports; and events fired by hand."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.practice.smarthr.simulator import PracticeSmartHR


def admin_routes(smarthr: PracticeSmartHR) -> Blueprint:
    """Under /_practice/; `<who>` is a crew id or a 社員番号."""
    routes = Blueprint("practice_smarthr_screen", __name__)

    @routes.errorhandler(KeyError)
    def unknown(_error: KeyError) -> tuple[Response, int]:
        return jsonify(message="nobody with this id or number"), 404

    @routes.errorhandler(TypeError)
    def misshapen(_error: TypeError) -> tuple[Response, int]:
        return jsonify(message="the body has not the wanted form"), 400

    @routes.get("/crews/<who>")
    def show(who: str) -> Response:
        return jsonify(smarthr.crew(who))

    @routes.post("/crews")
    def add() -> tuple[Response, int]:
        return jsonify(smarthr.crew(smarthr.add(request.get_json()))), 201

    @routes.put("/crews/<who>")
    def edit(who: str) -> Response:
        smarthr.edit(who, request.get_json())
        return jsonify(smarthr.crew(who))

    @routes.delete("/crews/<who>")
    def remove(who: str) -> tuple[str, int]:
        smarthr.remove(who)
        return "", 204

    @routes.post("/crews/import")
    def import_crews() -> tuple[Response, int]:
        """`{"created": [{…}], "updated": {"<who>": {…}}}`."""
        return jsonify(created=smarthr.import_crews(**request.get_json())), 201

    @routes.post("/events")
    def fire() -> tuple[str, int]:
        """`{"event": "dependent_updated", "who": "<who>", "sender": "<who>" or left out}`."""
        smarthr.fire(**request.get_json())
        return "", 204

    @routes.post("/new_day")
    def new_day() -> tuple[str, int]:
        """Nothing to do here: every request begins with the changes that are due."""
        return "", 204

    return routes
