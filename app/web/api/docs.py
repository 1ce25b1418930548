"""/api/openapi.json and /api/docs: the API describes itself, and its page asks no other server for anything."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template

from app.domain.error_catalogue.entries import CATALOGUE
from app.use_cases.accounts.api_keys import Scope
from app.web.current import current_context
from app.web.http.bearer_auth import caller
from app.web.http.problems import PROBLEMS
from app.web.http.request_log import allow_style
from app.web.i18n import DEFAULT, wording

_METHODS = ("get", "post", "put", "patch", "delete")


def make_docs(api: Any, *, is_signed_in: Callable[[], bool]) -> Blueprint:
    """Both are open, or, with API_DOCS=signed_in, for users of the screens and for programs with any API key."""
    docs = Blueprint("docs", __name__, url_prefix="/api")

    @docs.before_request
    def check_reader() -> None:
        if current_context().settings.api_docs != "open" and not is_signed_in():
            caller()

    @docs.get("/openapi.json")
    def openapi() -> Any:
        return jsonify(api.spec.to_dict())

    @docs.get("/docs")
    def page() -> Response:
        nonce = secrets.token_urlsafe(16)
        spec, say = api.spec.to_dict(), wording(DEFAULT)
        text = render_template(
            "api_docs.html",
            nonce=nonce,
            spec=spec,
            operations=_operations(spec),
            scopes=list(Scope),
            label=say.label,
            problems=PROBLEMS,
            catalogue=[(code, say.message(code), say.remedy(code), say.who(code)) for code in CATALOGUE],
        )
        answer = make_response(text)
        answer.headers["Content-Security-Policy"] = allow_style(nonce)
        return answer

    return docs


def _operations(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Each operation with its references resolved one level, ready for the template."""
    found = []
    for path, methods in spec["paths"].items():
        for method in _METHODS:
            if method in methods:
                described = methods[method]
                body = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
                parameters = [*methods.get("parameters", []), *described.get("parameters", [])]
                found.append(
                    {"path": path, "method": method.upper(), "body": body, **described, "parameters": parameters}
                )
    return found
