"""freee人事労務's refusals → our three errors (freee-hr-api.md section 10 and trap 6).

Status and code decide, because freee changes its messages without notice. Messages decide only where freee gives
nothing else: the address restriction, the missing permission of an app, and the 403 that may mean a missing right or
the short-time throttle. A 403 that explains nothing is taken for the throttle, because waiting is the cheaper mistake.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from app.adapters.answers import Response, retry_after, server_time, within_an_hour
from app.adapters.masking import vendor_text
from app.adapters.refusals import Said, read_refusal
from app.domain.enums import Step, System
from app.domain.error_catalogue.catalogue import recognise
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.domain.vendors.answer import VendorAnswer

THROTTLED_SECONDS = 600.0
"""The burst rule lifts by itself after about ten minutes (section 11)."""

_MISSING_APP_PERMISSION = re.compile(
    r"アプリ.*(権限|許可|アクセスできません)|endpoint|エンドポイント", re.IGNORECASE | re.DOTALL
)
_NO_RIGHT = re.compile(r"\b(user_do_not_have_permission|company_not_found)\b")
_MENTIONS_A_RIGHT = re.compile(r"権限|管理者|プラン|事業所|permission", re.IGNORECASE)

OPEN_TO_ALL = "/api/v1/users/me"
"""The one call that needs no right, so that a 403 there means the throttle."""

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
    answer = VendorAnswer(System.FREEE, _in_words(said), fields=said.fields)
    return _meaning(response, said).said(answer)


def _in_words(said: Said) -> str:
    return vendor_text(" / ".join(said.messages))


def _meaning(response: Response, said: Said) -> AwaseError:
    if response.status == 429:
        return TemporaryError("rate_limited", retry_after=_until_reset(response), counts=False, closes_connection=True)
    if response.status >= 500:
        return TemporaryError("E22", f"status {response.status}", retry_after=retry_after(response))
    code = recognise(System.FREEE, status=response.status, text=said.everything, step=step_of(response))
    if response.status in (401, 403):
        return _refused_access(code, said, open_to_all=response.path == OPEN_TO_ALL)
    if response.status == 404:
        return NotFound()
    return ItemError(code, _in_words(said) or f"status {response.status}")


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
