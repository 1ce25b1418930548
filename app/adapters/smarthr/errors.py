"""SmartHR's refusals → our three errors (smarthr-api.md sections 3 and 4).

The status decides first, then the envelope's `type`. Codes 10 to 14 are unknown, so the detail keeps them. Answers may
come without the envelope (from proxies, or for a renamed subdomain).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.adapters.answers import Response, retry_after
from app.adapters.masking import vendor_text
from app.domain.enums import Step, System
from app.domain.error_catalogue.catalogue import recognise
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError

SECOND_LIMIT_PAUSE = 1.0
_COUNTERS = ("x-rate-limit", "x-intensive-rate-limit")
_ONE_CREW = re.compile(r"/v1/crews/[^/]+")


class NotFound(ItemError):
    """SmartHR says that this id does not exist. A read turns it into None; a write fails with it."""

    def __init__(self) -> None:
        super().__init__("E20")


def classify(response: Response) -> AwaseError:
    """The error that a refused request means. Never raises, even for a body that makes no sense."""
    envelope = response.json()
    known = envelope if isinstance(envelope, Mapping) else {}
    words = " ".join(_words(known))
    code = recognise(System.SMARTHR, status=response.status, text=words, step=_step(response))
    detail = vendor_text("; ".join(_messages(known)) or f"status {response.status}")
    if response.status == 429:
        return TemporaryError("rate_limited", retry_after=_until_reset(response), counts=False, closes_connection=True)
    if code == "maintenance":
        return TemporaryError(code, retry_after=retry_after(response), counts=False, closes_connection=True)
    if response.status >= 500 or response.status == 408:
        return TemporaryError("E22", detail, retry_after=retry_after(response))
    if response.status == 401:
        return RunError(code, detail)  # an operator has to give another token (`set-smarthr-token`); no consent helps
    if response.status == 403:
        # The plan's head-count stops new people only; every other reason for a 403 stops the token.
        return ItemError(code, detail) if code == "plan_limit" else RunError(code, detail)
    if response.status == 404:
        # A proxy's page is no proof that an employee was deleted, and neither is a missing list.
        return NotFound() if known.get("code") == 4 and _is_about_one(response) else _strange_404()
    if code == "smarthr_subdomain_inactive" or (response.is_read and not _is_about_one(response)):
        return RunError(code, detail)
    return ItemError(code, detail)


def _strange_404() -> TemporaryError:
    return TemporaryError("unreadable_answer", "404 without SmartHR's envelope")


def _is_about_one(response: Response) -> bool:
    return _ONE_CREW.fullmatch(response.path) is not None


def _step(response: Response) -> Step | None:
    return {"POST": Step.CREATE, "PATCH": Step.CREW}.get(response.method)


def _words(envelope: Mapping[str, Any]) -> Iterator[str]:
    """The type and messages of an envelope, by which the error catalogue recognises the refusal."""
    if isinstance(envelope.get("type"), str):
        yield envelope["type"]
    if isinstance(envelope.get("message"), str):
        yield envelope["message"]
    yield from _field_messages(envelope)


def _messages(envelope: Mapping[str, Any]) -> list[str]:
    """The messages a person should read: those of the fields, else that of the whole answer."""
    found = list(_field_messages(envelope))
    if not found and isinstance(envelope.get("message"), str):
        found = [envelope["message"]]
    number = envelope.get("code")
    return [*found, f"code {number}"] if isinstance(number, int) and number not in _KNOWN else found


_KNOWN = frozenset({*range(1, 10), 15})


def _field_messages(envelope: Mapping[str, Any]) -> Iterator[str]:
    errors = envelope.get("errors")
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, Mapping) and isinstance(error.get("message"), str):
            yield error["message"]


def _until_reset(response: Response) -> float | None:
    """Seconds until SmartHR takes calls again. `reset` is seconds, not an epoch (trap 13).

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
    try:
        return float(response.headers.get(header, ""))
    except ValueError:
        return None
