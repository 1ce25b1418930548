"""Masks text from outside before Awase shows, stores or logs it: tokens always, and parts that look personal."""

from __future__ import annotations

import re

MASK = "••••"
MAX_DETAIL = 300

_SECRETS = (
    re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+"),
    # SmartHR's newer form: shr_, 4 hex, _, 32 alphanumerics. The pattern is loose on purpose.
    re.compile(r"\bshr_[0-9A-Za-z]+_[0-9A-Za-z]+"),
    re.compile(r"(?i)\b(access_token|refresh_token|client_secret|secret_token|token|code)=[^\s&\"']+"),
    # 32 alphanumerics and longer: SmartHR's older form, freee's tokens. It does not match UUIDs: they hold hyphens.
    re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{32,}(?![0-9A-Za-z])"),
)
_MAIL = re.compile(r"[^\s<>\"'()、。「」【】]+[@＠][^\s<>\"'()、。「」【】]+")
# Employee numbers, dates, phones, accounts: no run of four digits or more, hyphenated groups included, any width.
_DIGITS = re.compile(r"\d(?:[\d\-‐−ー－/]*\d){3,}")
# Line ends, controls, and signs without form or that turn the direction of what follows.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


def mask_secrets(text: str) -> str:
    """The text with every part that looks like a credential replaced."""
    for pattern in _SECRETS:
        text = pattern.sub(MASK, text)
    return text


def vendor_text(text: str, *, limit: int = MAX_DETAIL) -> str:
    """A vendor's message made fit for history and mail: one line, capped, without credentials, mail addresses and long
    numbers.

    Vendors' messages name the fault, not the value; this is the safety net below that promise.
    """
    text = _CONTROL.sub(" ", text[: 4 * limit])
    text = re.sub(" +", " ", _DIGITS.sub(MASK, _MAIL.sub(MASK, mask_secrets(text)))).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
