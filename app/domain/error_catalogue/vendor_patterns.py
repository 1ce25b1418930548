"""Recognises a vendor's refusal: by its status first, then by its words, because texts change without notice.

freee says that its texts change, so a text only refines what the status already says;
an unknown text is E17 for a 400 and the status's own entry otherwise.
"""

from __future__ import annotations

import re

from app.domain.enums import Step, System
from app.domain.error_catalogue.entries import DOCUMENTED

# Stable codes and types of the vendors' envelopes, at any status (freee answers some with 401 and with 403).
_CODES: tuple[tuple[System, str, str], ...] = (
    (System.FREEE, r"\bsource_ip_address_limit\b", "E3"),
    (System.FREEE, r"\b(re_authorization_required|invalid_grant)\b", "needs_consent"),
    (System.FREEE, r"\b(freee_plan_limit|not_available_plan_limited_app)\b", "plan_limit"),
    (System.FREEE, r"\b(expired_access_token|invalid_access_token)\b", "E18"),
    (System.FREEE, r"\b(user_do_not_have_permission|company_not_found)\b", "E19"),
    (System.SMARTHR, r"\bip_not_permitted\b", "ip_not_permitted"),
    (System.SMARTHR, r"\bplan_limit_exceeded\b", "plan_limit"),
    (System.SMARTHR, r"\bservice_maintenance\b", "maintenance"),
    (System.SMARTHR, r"\bsubdomain\b.*\bis inactive\b", "smarthr_subdomain_inactive"),
)

# From the particular to the general: "退職日は入社日以降で…を入力してください" is E13, not E1.
_ORDER_OF_TEXTS = ("E9", "E10", "E13", "E14", "E3", "E4", "E5", "E6", "E8", "E12", "E11", "E16", "E1", "E2")
_TEXTS = tuple((re.compile(pattern), code) for code in _ORDER_OF_TEXTS for pattern in DOCUMENTED[code].patterns)

_PAYROLL_ONLY = frozenset({Step.PROFILE, Step.HEALTH_INSURANCE, Step.PENSION_INSURANCE, Step.BANK_ACCOUNT})


def recognise(system: System, *, status: int, text: str, step: Step | None = None) -> str:
    """The catalogue code of a vendor's refusal.

    `text`: the answer's messages, types and codes joined by blanks, "" when the body could not be read. `step`: the
    request that was refused, None for reads.
    """
    for vendor, pattern, code in _CODES:
        if vendor is system and re.search(pattern, text, re.DOTALL):
            return code
    if status in (400, 409, 422):
        return _by_text(text) or "E17"
    if status == 403:
        return _forbidden(system, text=text, step=step)
    if status == 404:
        return "E9" if _by_text(text) == "E9" else "E20"
    return {401: "E18", 429: "E21"}.get(status) or ("E22" if status >= 500 else "unexpected")


def _by_text(text: str) -> str | None:
    return next((code for pattern, code in _TEXTS if pattern.search(text)), None)


def _forbidden(system: System, *, text: str, step: Step | None) -> str:
    """The code of a 403: missing rights, or freee's short-time throttle, which has no text."""
    if system is System.FREEE and not text.strip():
        return "throttled"
    known = _by_text(text)
    if known == "E3" or (known == "E14" and step in _PAYROLL_ONLY):
        return known
    return "E19"
