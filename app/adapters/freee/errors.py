"""freee人事労務's refusals → our three errors.

An answer in none of freee's three forms (`is_own`) settles nothing: something between Awase and freee has sent it.

Status and code decide, because freee changes its messages without notice. Messages decide only where freee gives
nothing else: the address restriction, the missing permission of an app, and the 403 that may mean a missing right or
the short-time throttle. A 403 that explains nothing is taken for the throttle, because waiting is the cheaper mistake;
for a 403 in a strange form Awase waits as long, because nobody knows in which form the throttle comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.adapters.answers import Response, from_between, over_limit, retry_after, server_time, within_an_hour
from app.adapters.freee.signs import recognise
from app.adapters.masking import vendor_text
from app.adapters.refusals import Said, read_refusal
from app.domain.enums import Step, System
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.domain.vendors.answer import VendorAnswer

THROTTLED_SECONDS = 600.0
"""The burst rule lifts by itself after about ten minutes: docs/vendors/freee.md#limits"""

_MISSING_APP_PERMISSION = re.compile(
    r"アプリ.*(権限|許可|アクセスできません)|endpoint|エンドポイント", re.IGNORECASE | re.DOTALL
)
_NO_RIGHT = re.compile(r"\b(user_do_not_have_permission|company_not_found)\b")
_MENTIONS_A_RIGHT = re.compile(r"権限|管理者|プラン|事業所|permission", re.IGNORECASE)

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_STABLE_CODE = re.compile(
    r"expired_access_token|invalid_access_token|user_do_not_have_permission|company_not_found|freee_plan_limit"
    r"|source_ip_address_limit|re_authorization_required|invalid_grant|not_available_plan_limited_app"
)
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")

OPEN_TO_ALL = "/api/v1/users/me"
"""The one call that needs no right, so that a 403 there means the throttle."""

_ONE_EMPLOYEE = re.compile(r"/api/v1/employees/\d+")

_STEPS = (
    (re.compile(r"POST /api/v1/employees"), Step.CREATE),
    (re.compile(r"PUT /api/v1/employees/\d+"), Step.EMPLOYEE),
    (re.compile(r"PUT .*/profile_rule"), Step.PROFILE),
    (re.compile(r"PUT .*/health_insurance_rule"), Step.HEALTH_INSURANCE),
    (re.compile(r"PUT .*/welfare_pension_insurance_rule"), Step.PENSION_INSURANCE),
    (re.compile(r"PUT .*/bank_account_rule"), Step.BANK_ACCOUNT),
)


class AccessExpired(RunError):
    """The access token is no longer valid: refresh once, then send once more. Leaves this package only as E18."""

    def __init__(self) -> None:
        super().__init__("E18", "access token refused")


class NoRightOrThrottled(RunError):
    """403 with a text about rights and no code, which freee sends for a missing right and perhaps for the throttle.

    One look at `OPEN_TO_ALL` tells them apart. Leaves this package only as E19.
    """

    def __init__(self, detail: str) -> None:
        super().__init__("E19", detail)


class NotFound(ItemError):
    """404. A read turns it into None; a write fails with it."""

    def __init__(self) -> None:
        super().__init__("E20")


def classify(response: Response) -> AwaseError:
    """The error that a refused request means, with what freee said. Never raises, even for a body that makes no
    sense."""
    said = read_refusal(response.json())
    answer = VendorAnswer(System.FREEE, _in_words(said), fields=said.paths(sent_in="employee"))
    return _meaning(response, said).said(answer)


def _in_words(said: Said) -> str:
    return vendor_text(" / ".join(said.messages))


def _meaning(response: Response, said: Said) -> AwaseError:
    if response.status == 429:
        return over_limit(response, _until_reset(response))
    if response.status >= 500:
        return TemporaryError("E22", f"status {response.status}", retry_after=retry_after(response))
    if not is_own(response):
        throttled = THROTTLED_SECONDS if response.status == 403 else None
        return from_between(response, retry_after_at_least=throttled, closes_connection=throttled is not None)
    code = recognise(status=response.status, text=said.everything, step=step_of(response))
    if response.status in (401, 403):
        return _refused_access(code, said, open_to_all=response.path == OPEN_TO_ALL)
    detail = _in_words(said) or f"status {response.status}"
    if response.is_read and _ONE_EMPLOYEE.match(response.path) is None:  # a list: every employee of the run needs it
        if response.status == 404:
            return TemporaryError("unreadable_answer", "404 for something that is there")
        return RunError(code, detail)
    return NotFound() if response.status == 404 else ItemError(code, detail)


def step_of(response: Response) -> Step | None:
    """Which part of an employee the request wanted to write; None for a read."""
    sent = f"{response.method} {response.path}"
    return next((step for pattern, step in _STEPS if pattern.fullmatch(sent)), None)


def _refused_access(code: str, said: Said, *, open_to_all: bool) -> AwaseError:
    """The error of a 401 or 403. Both are read alike, because freee's own pages disagree on which status carries which
    code."""
    detail = _in_words(said)
    if code == "E18":
        return AccessExpired()
    if code == "E14":
        return ItemError(code, detail)
    if code in ("needs_consent", "E3", "plan_limit"):
        return RunError(code, detail, needs_consent=code == "needs_consent")
    if _MISSING_APP_PERMISSION.search(" / ".join(said.messages)):
        return RunError("needs_consent", detail, needs_consent=True)
    if _NO_RIGHT.search(said.everything):
        return RunError("E19", detail)
    if _MENTIONS_A_RIGHT.search(said.everything) and not open_to_all:
        return NoRightOrThrottled(detail)
    return TemporaryError("throttled", retry_after=THROTTLED_SECONDS, counts=False, closes_connection=True)


def _until_reset(response: Response) -> float:
    """Seconds until `X-RateLimit-Reset`, an ISO-8601 UTC timestamp with microseconds; 60 when it says nothing."""
    try:
        reset = datetime.fromisoformat(response.headers.get("X-RateLimit-Reset", ""))
    except ValueError:
        return within_an_hour(retry_after(response))
    if reset.tzinfo is None:
        reset = reset.replace(tzinfo=UTC)
    return within_an_hour((reset - server_time(response)).total_seconds())


# ── whose answer it is ────────────────────────────────────────────────────────────────────────────────────────────


def is_own(response: Response) -> bool:
    """Whether the body has one of the three forms of freee's refusals: a problem with `status_code` and `errors`
    (A), nothing but a Japanese `message` (B), or `error`, `code` and `message` of a denied access (C)."""
    body = response.json()
    if not isinstance(body, Mapping):
        return False
    return _is_problem(body) or _is_unsigned(body) or (response.status in (401, 403) and _is_denial(body))


def _is_problem(body: Mapping[str, Any]) -> bool:
    """A: the status as a number, and a list of errors with a type or messages."""
    number, errors = body.get("status_code"), body.get("errors")
    if not isinstance(number, int) or isinstance(number, bool) or not isinstance(errors, list) or not errors:
        return False
    return all(
        isinstance(each, Mapping) and (_texts_in(each, "messages") or _texts_in(each, "type")) for each in errors
    )


def _is_denial(body: Mapping[str, Any]) -> bool:
    """C: a code that is known, or a text for people beside an error in one word. Others write names (Not Found)."""
    error, code = body.get("error"), body.get("code")
    named = isinstance(error, str) and _WORD.fullmatch(error) is not None
    coded = isinstance(code, str) and _STABLE_CODE.fullmatch(code) is not None
    return coded or (named and bool(_texts_in(body, "message")) and (code is None or isinstance(code, str)))


def _is_unsigned(body: Mapping[str, Any]) -> bool:
    """B: nothing but a text for people, which freee writes in Japanese. Gateways send the same form in English."""
    texts = [*_texts_in(body, "message"), *_texts_in(body, "messages")]
    return body.keys() <= {"message", "messages"} and any(_JAPANESE.search(text) for text in texts)


def _texts_in(body: Mapping[str, Any], name: str) -> list[str]:
    found = body.get(name)
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, str) and each.strip()]
