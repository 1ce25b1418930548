"""Every error as an RFC 9457 problem document with a stable code, in one place; a browser gets a page instead."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import structlog
from flask import Flask, Response, current_app, json, request
from werkzeug.exceptions import HTTPException

from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.errors import AwaseError, Refused, Sentence, TemporaryError
from app.web.current import current_context, request_id
from app.web.http.problems import FIELD_PROBLEMS, PROBLEMS, code_of_status, title_of
from app.web.i18n import DEFAULT, wording

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
_PROGRAMS = frozenset({"api", "webhooks", "metrics", "health"})
"""First parts of addresses that only programs call."""
_EXTENSION = "awase-error-page"
ErrorPage = Callable[[str, int, Sentence | str], Response]
"""(code, status, detail) → a page."""

log = structlog.get_logger("awase.web")


class Problem(Exception):
    """Raised by the web layer itself: becomes the problem document of `code`."""

    def __init__(self, code: str, *, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def problem(
    code: str,
    *,
    status: int,
    detail: Sentence | str,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to an error: a page for a browser, else {type, title, status, detail, code, request_id, fields?}.

    `detail` and `fields` are for people; programs get them in Japanese.
    """
    page = cast("ErrorPage | None", current_app.extensions.get(_EXTENSION))
    if page is not None and wants_page():
        shown = page(code, status, detail)
        shown.headers.update(dict(headers or {}))
        return shown
    body: dict[str, Any] = {
        "type": f"{current_context().settings.base_url}/api/docs#{code}",
        "title": title_of(code, status=status),
        "status": status,
        "detail": wording(DEFAULT).tell(detail),
        "code": code,
        "request_id": request_id(),
    }
    if fields:
        body["fields"] = dict(fields)
    answer = current_app.response_class(json.dumps(body), status=status, mimetype=PROBLEM_TYPE)
    answer.headers.update(dict(headers or {}))
    return answer


def answer_browsers_with(app: Flask, page: ErrorPage) -> None:
    app.extensions[_EXTENSION] = page


def wants_page() -> bool:
    """Whether a browser asks, outside the addresses that only programs call.

    A bare `*/*` does not count as a browser: programs send it by default.
    """
    accepted = request.accept_mimetypes
    asks_for_html = accepted["text/html"] > max(accepted["application/json"], accepted[PROBLEM_TYPE])
    return asks_for_html and request.path.split("/")[1] not in _PROGRAMS


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(Problem, on_problem)
    app.register_error_handler(Refused, on_refused)
    app.register_error_handler(TemporaryError, on_temporary)
    app.register_error_handler(AwaseError, on_product_error)
    app.register_error_handler(HTTPException, on_http)


def on_problem(error: Problem) -> Response:
    kind = PROBLEMS[error.code]
    return problem(error.code, status=kind.status, detail=error.detail or kind.detail, headers=error.headers)


def on_refused(error: Refused) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status in (429, 503) else None
    fields = wording(DEFAULT).faults(error)
    return problem(error.code, status=error.status, detail=error.told, fields=fields, headers=headers)


def on_temporary(error: TemporaryError) -> Response:
    """The database is busy or a vendor does not answer now: nothing was accepted, so the caller has to send again."""
    seconds = max(1, round(error.retry_after or RETRY_AFTER_SECONDS))
    log.warning("temporarily unavailable", code=error.code, request_id=request_id())
    return problem(error.code, status=503, detail=_told(error.code), headers={"Retry-After": str(seconds)})


def on_product_error(error: AwaseError) -> Response:
    """A vendor refused while a caller waited for the vendor's answer: not the caller's fault, and not a bug of ours."""
    log.warning("vendor refused", code=error.code, request_id=request_id())
    return problem(error.code, status=409, detail=_told(error.code))


def _told(code: str) -> str:
    """What the catalogue says about a code. The error's own text is left out, because it may quote a vendor."""
    if code in CATALOGUE:
        say = wording(DEFAULT)
        return f"{say.message(code)} {say.remedy(code)}"
    return PROBLEMS.get(code, PROBLEMS["unavailable"]).detail


def on_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        redirect: Any = error.get_response()
        return current_app.make_response(redirect)
    faults = dict(_faults(getattr(error, "data", None)))
    if status == 400 and faults:
        return on_problem(Problem("invalid_json"))
    if status == 422:
        return _invalid(faults)
    code = code_of_status(status)
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return problem(code, status=status, detail=PROBLEMS[code].detail, headers=headers)


def _invalid(faults: Mapping[str, str]) -> Response:
    """The answer for wrong fields, each named in `fields`.

    One kind of fault answers with its own code, several kinds answer with `invalid_request`.
    """
    codes = set(faults.values())
    code = codes.pop() if len(codes) == 1 else "invalid_request"
    fields = {path: PROBLEMS[fault].detail for path, fault in faults.items()}
    return problem(code, status=422, detail=PROBLEMS[code].detail, fields=fields)


def _faults(data: Any) -> Iterator[tuple[str, str]]:
    """Each wrong field with its code.

    webargs hands on {"messages": {location: errors}}; our schemas put codes of FIELD_PROBLEMS in place of its texts.
    """
    for location in ((data or {}).get("messages") or {}).values():
        yield from _walk(location, "")


def _walk(errors: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(errors, Mapping):
        for key, inner in errors.items():
            name = "" if key == "_schema" else str(key)
            yield from _walk(inner, ".".join(filter(None, (path, name))))
    else:
        code = next((e for e in errors if e in FIELD_PROBLEMS), "invalid_request")
        yield path or "body", code


def log_bug(error: BaseException | None) -> None:
    """Log a bug by its type and place; Flask calls this before the 500 answer.

    The error's text is not logged, because a database error quotes the values that it was given.
    """
    frames = traceback.extract_tb(error.__traceback__) if error else []
    ours = [frame for frame in frames if "/app/" in frame.filename or "/workers/" in frame.filename]
    where = [f"{frame.filename.rpartition('/app/')[2]}:{frame.lineno}" for frame in (ours or frames)[-6:]]
    log.error("bug", error=type(error).__name__, where=where, request_id=request_id())
