"""SmartHR's refusals → our three errors.

The status decides first, then the envelope's `type`. Codes 10 to 14 are unknown, so the detail keeps them. An answer
without the envelope does not come from SmartHR and settles nothing; the one exception is that of a renamed subdomain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.adapters.answers import Response, from_between, number_in, over_limit, retry_after
from app.adapters.masking import vendor_text
from app.adapters.refusals import Said, read_refusal
from app.adapters.smarthr.signs import recognise
from app.domain.enums import System
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.domain.vendors.answer import VendorAnswer

SECOND_LIMIT_PAUSE = 1.0
_COUNTERS = ("x-rate-limit", "x-intensive-rate-limit")
_TYPE = re.compile(r"[a-z][a-z0-9_]*")
_RENAMED = re.compile(r"subdomain\b.{0,200}\bis inactive\.?", re.DOTALL)
_ONE_CREW = re.compile(r"/v1/crews/[^/]+")


class NotFound(ItemError):
    """SmartHR says that this id does not exist. A read turns it into None; a write fails with it."""

    def __init__(self) -> None:
        super().__init__("E20")


def classify(response: Response) -> AwaseError:
    """The error that a refused request means, with what SmartHR said. Never raises, even for a body that makes no
    sense."""
    envelope = response.json()
    known = envelope if isinstance(envelope, Mapping) else {}
    said = read_refusal(known)
    words = _in_words(said, known)
    answer = VendorAnswer(System.SMARTHR, words, fields=said.paths(sent_in="crew"))
    return _meaning(response, known, said, detail=words or f"status {response.status}").said(answer)


def _meaning(response: Response, known: Mapping[str, Any], said: Said, *, detail: str) -> AwaseError:
    is_own = _is_envelope(known) or _is_of_renamed_subdomain(response, known)
    code = recognise(status=response.status, text=said.everything)
    if response.status == 429:
        return over_limit(response, _until_reset(response))
    if is_own and code == "maintenance":
        return TemporaryError(code, retry_after=retry_after(response), counts=False, closes_connection=True)
    if response.status >= 500 or response.status == 408:
        unknown = not (response.is_read or is_own)
        return TemporaryError("E22", detail, retry_after=retry_after(response), outcome_unknown=unknown)
    if not is_own:
        return from_between(response)
    if response.status == 401:
        return RunError(code, detail)  # an operator has to give another token (`set-smarthr-token`); no consent helps
    if response.status == 403:
        # The plan's head-count stops new people only; every other reason for a 403 stops the token.
        return ItemError(code, detail) if code == "plan_limit" else RunError(code, detail)
    if response.status == 404:
        # A missing list is no proof that an employee was deleted.
        return NotFound() if known.get("code") == 4 and _is_about_one(response) else _strange_404()
    if code == "smarthr_subdomain_inactive" or (response.is_read and not _is_about_one(response)):
        return RunError(code, detail)
    return ItemError(code, detail)


def _strange_404() -> TemporaryError:
    return TemporaryError("unreadable_answer", "404 for something that is there")


def _is_envelope(body: Mapping[str, Any]) -> bool:
    """Whether the body is SmartHR's own: a whole number, a type in one word, and perhaps a text and a list."""
    number, kind = body.get("code"), body.get("type")
    return (
        isinstance(number, int)
        and not isinstance(number, bool)
        and isinstance(kind, str)
        and _TYPE.fullmatch(kind) is not None
        and isinstance(body.get("message", ""), str)
    )


def _is_of_renamed_subdomain(response: Response, body: Mapping[str, Any]) -> bool:
    """Whether this is the one refusal that SmartHR sends without its envelope."""
    message = body.get("message")
    return response.status == 400 and isinstance(message, str) and _RENAMED.fullmatch(message.strip()) is not None


def _is_about_one(response: Response) -> bool:
    return _ONE_CREW.fullmatch(response.path) is not None


def _in_words(said: Said, envelope: Mapping[str, Any]) -> str:
    """What a person should read: the messages of the fields, else that of the whole answer; an unknown code as well."""
    found = list(said.messages)
    if len(found) > 1 and found[0] == envelope.get("message"):
        found = found[1:]
    number = envelope.get("code")
    return vendor_text("; ".join([*found, f"code {number}"] if type(number) is int and number not in _KNOWN else found))


_KNOWN = frozenset({*range(1, 10), 15})


def _until_reset(response: Response) -> float | None:
    """Seconds until SmartHR takes calls again. `reset` is seconds, not an epoch.

    A 429 while calls remain comes from the limit per second. None: the answer says nothing readable.
    """
    left = [(_number(response, f"{name}-remaining"), _number(response, f"{name}-reset")) for name in _COUNTERS]
    used_up = [reset for remaining, reset in left if remaining is not None and remaining <= 0 and reset is not None]
    if used_up:
        return max(used_up)
    if any(remaining is not None and remaining > 0 for remaining, _ in left):
        return SECOND_LIMIT_PAUSE
    said = retry_after(response)
    return said if said is not None else next((reset for _, reset in left if reset is not None), None)


def _number(response: Response, header: str) -> float | None:
    return number_in(response.headers.get(header, ""))
