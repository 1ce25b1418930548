"""What a vendor has answered to a request that it refused, and the form in which an item of a run keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.domain.enums import Step, System


@dataclass(frozen=True)
class VendorAnswer:
    """One refusal. `words`: the vendor's own, on one line and without long numbers; "" when it gave none.

    `step`: the request that writes a part of an employee; None for a read. `sent`: keys of FIELDS that the request was
    to write; `named`: those of them that the answer speaks of. `fields`: what the answer names, as paths of
    the vendor's record. `system` None: an earlier version of Awase has kept only the words.
    """

    system: System | None
    words: str = field(repr=False)
    fields: tuple[str, ...] = field(default=(), repr=False)
    step: Step | None = None
    sent: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


def packed(answers: Iterable[VendorAnswer]) -> str | None:
    """The answers as one text, for the column that is encrypted; None when there are none."""
    kept = [_as_json(each) for each in dict.fromkeys(answers)]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")) if kept else None


def unpacked(text: str | None) -> tuple[VendorAnswer, ...]:
    """The answers of a text. Any other text comes from a version that kept words only: those in Japanese are a vendor's
    for people, the others are technical and tell people nothing."""
    if not text:
        return ()
    try:
        found = json.loads(text)
        return tuple(_from_json(each) for each in found)
    except (ValueError, TypeError, KeyError):
        return () if text.isascii() else (VendorAnswer(None, text),)


def _as_json(answer: VendorAnswer) -> dict[str, Any]:
    told = {
        "system": answer.system,
        "words": answer.words,
        "fields": answer.fields,
        "step": answer.step,
        "sent": answer.sent,
        "named": answer.named,
    }
    return {name: value for name, value in told.items() if value}


def _from_json(told: dict[str, Any]) -> VendorAnswer:
    return VendorAnswer(
        system=System(told["system"]) if "system" in told else None,
        words=told.get("words", ""),
        fields=tuple(told.get("fields", ())),
        step=Step(told["step"]) if "step" in told else None,
        sent=tuple(told.get("sent", ())),
        named=tuple(told.get("named", ())),
    )
