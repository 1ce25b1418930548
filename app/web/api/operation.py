"""One decorator per API operation: route, scope, what it takes, what it answers, and the same in the OpenAPI document.

This is the only module that knows flask-smorest. It checks the API key before it parses anything of the request.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import marshmallow as ma
from flask import Flask
from flask_smorest import Api, Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.routing import BaseConverter

from app.use_cases.accounts.api_keys import Scope
from app.web.api.request_schemas import NothingSchema
from app.web.api.response_schemas import ProblemSchema
from app.web.http.bearer_auth import WRITING, require
from app.web.http.errors import PROBLEM_TYPE, Problem
from app.web.http.problems import PROBLEMS, code_of_status, title_of
from app.web.i18n import DEFAULT, wording

F = TypeVar("F", bound=Callable[..., Any])

VERSION = "1.0.0"
_ALWAYS = (401, 403, 429, 500, 503)
_USUAL = ("required", "null", "validator_failed")
RESTING = ("house_rests",)
"""What an operation that changes something answers while the house rests."""
_LOCATION = {"Location": {"schema": {"type": "string"}, "required": True, "description": "実行のアドレス"}}
_DESCRIPTION = """Awase keeps employee records equal between SmartHR and freee人事労務.

Errors are problem documents (RFC 9457) with a stable `code`. Unknown fields are refused. Times are UTC, dates are
calendar dates in Japan. A list answers at most `limit` entries; hand `next_after` back as `after` for the next ones."""


class PublicId(BaseConverter):
    """An id that Awase could have given out; the answer to any other text is 404 without asking the database."""

    regex = "[A-Za-z0-9_-]{1,64}"
    part_isolating = True


class _JsonParser(FlaskParser):
    """Also refuses JSON with too deep lists or too long numbers; webargs' own parser expects syntax errors only."""

    def load_json(self, req: Any, schema: Any) -> Any:
        try:
            return super().load_json(req, schema)
        except (ValueError, RecursionError):
            raise Problem("invalid_json") from None


class _Blueprint(Blueprint):  # type: ignore[misc]
    ARGUMENTS_PARSER = _JsonParser()


def make_blueprint(name: str, *, description: str) -> Any:
    return _Blueprint(name, name, url_prefix="/api/v1", description=description)


def operation(
    blueprint: Any,
    method: str,
    rule: str,
    *,
    scope: Scope,
    answer: type[ma.Schema],
    body: type[ma.Schema] | None = None,
    query: type[ma.Schema] | None = None,
    headers: type[ma.Schema] | None = None,
    codes: tuple[str, ...] = (),
    location: bool = False,
) -> Callable[[F], F]:
    """Make a view an operation: it gets path values first, then body, query and headers as dicts (those declared here).

    A POST has a body, if only an empty one, and answers 202; a GET answers 200.

    `codes`: codes of `problems.PROBLEMS` that this operation may answer with beside the usual ones and those of the
    fields that it takes.
    """

    posted = method == "POST"
    taken = body or (NothingSchema if posted else None)

    def decorate(view: F) -> F:
        wrapped: Any = view
        of_fields = [code for schema in (taken, query, headers) if schema for code in _codes_of(schema)]
        more = (*of_fields, *codes, *(RESTING if scope in WRITING else ()))
        wrapped = _documented_problems(blueprint, _problems(taken, query, more))(wrapped)
        wrapped = blueprint.response(202 if posted else 200, answer, headers=_LOCATION if location else None)(wrapped)
        if headers:
            wrapped = blueprint.arguments(headers, location="headers", unknown=ma.EXCLUDE)(wrapped)
        if query:
            wrapped = blueprint.arguments(query, location="query", unknown=ma.RAISE)(wrapped)
        if taken:
            wrapped = blueprint.arguments(taken, required=bool(taken().fields))(wrapped)
        wrapped = blueprint.doc(security=[{"apiKey": [str(scope)]}])(_guarded(wrapped, scope))
        return cast("F", blueprint.route(rule, methods=[method])(wrapped))

    return decorate


def _guarded(view: Any, scope: Scope) -> Any:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        require(scope)
        return view(*args, **kwargs)

    return guarded


def _codes_of(schema: type[ma.Schema]) -> list[str]:
    """What the fields of a request say of values that are wrong in themselves, each once."""
    said = (field.error_messages.items() for field in schema().fields.values())
    return list(dict.fromkeys(str(code) for each in said for about, code in each if about not in _USUAL))


def _problems(
    body: type[ma.Schema] | None,
    query: type[ma.Schema] | None,
    codes: tuple[str, ...],
) -> dict[int, list[str]]:
    """Status → the codes with which this operation can answer."""
    found: dict[int, list[str]] = {status: [code_of_status(status)] for status in _ALWAYS}
    if body:
        found |= {400: ["invalid_json", "bad_request"], 413: ["body_too_large"], 415: ["unsupported_media_type"]}
    if body or query:
        found[422] = ["missing_field", "unknown_field", "null_field", "invalid_request"]
    for code in codes:
        found.setdefault(PROBLEMS[code].status, []).append(code)
    return found


def _documented_problems(blueprint: Any, problems: Mapping[int, list[str]]) -> Callable[[Any], Any]:
    def decorate(view: Any) -> Any:
        for status, codes in sorted(problems.items()):
            title = title_of(codes[0], status=status)
            view = blueprint.alt_response(
                status,
                schema=ProblemSchema,
                content_type=PROBLEM_TYPE,
                description=f"{title} — {', '.join(codes)}",
                headers=_problem_headers(status),
            )(view)
        return view

    return decorate


def _problem_headers(status: int) -> dict[str, Any] | None:
    names = {401: "WWW-Authenticate", 403: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
    if status not in names:
        return None
    return {names[status]: {"schema": {"type": "string"}, "required": True}}


class AwaseApi(Api):  # type: ignore[misc]
    """flask-smorest without its own error documents: `app.web.http.errors` answers every error."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        return None


def make_api(app: Flask, *, server: str) -> Any:
    app.config.update(API_TITLE="Awase API", API_VERSION=VERSION, OPENAPI_VERSION="3.1.0")
    app.url_map.converters["public_id"] = PublicId
    scopes = "\n".join(f"- `{scope}`: {wording(DEFAULT).label(scope)}" for scope in Scope)
    options = {
        "info": {"description": _DESCRIPTION},
        "servers": [{"url": server}],
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "awase_<prefix>_<secret>",
                    "description": f"`flask key add` で作る API キー。スコープ:\n{scopes}",
                }
            }
        },
    }
    api = AwaseApi(app, spec_kwargs=options)
    api.register_converter(PublicId, lambda converter: {"type": "string", "pattern": f"^{PublicId.regex}$"})
    return api
