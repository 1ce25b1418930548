"""Odd values in a person's record, as a vendor may show them to a client that reads.

In a test: `injector.odd.say(person_id, "monthly_standard_income_hel", "200000.5")` shows this JSON text in every answer
about that person. Over HTTP under `/_practice/odd`.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from typing import Any

from app.practice.vendor_kit.faults import Answer

WHOLE = ""
"""The path of the whole record."""


@dataclass(frozen=True)
class OddValue:
    """`person`: the record's id as text; `path`: the field, dotted where it stands in an object; `text`: what stands
    there, as JSON text or as what is no JSON."""

    person: str
    path: str
    text: str


class OddAnswers:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: list[OddValue] = []

    def say(self, person: str | int, path: str, text: str) -> None:
        with self._lock:
            self._values.append(OddValue(str(person), path, text))

    def clear(self) -> None:
        with self._lock:
            self._values = []

    def told(self, method: str, answer: Answer) -> Answer:
        """The answer of a reading with the odd values in it."""
        with self._lock:
            values = list(self._values)
        if not values or method != "GET" or not answer.status.startswith("200"):
            return answer
        body = json.loads(answer.body)
        for number, value in enumerate(values):
            body = _with(body, value, number)
        text = json.dumps(body, ensure_ascii=False)
        for number, value in enumerate(values):
            text = text.replace(f'"{_place(number)}"', value.text)
        raw = text.encode("utf-8", "surrogatepass")
        headers = [(name, str(len(raw)) if name.lower() == "content-length" else each) for name, each in answer.headers]
        return replace(answer, headers=headers, body=raw)


def _place(number: int) -> str:
    return f"odd value {number}"


def _with(node: Any, value: OddValue, number: int) -> Any:
    if isinstance(node, list):
        return [_with(each, value, number) for each in node]
    if not isinstance(node, dict):
        return node
    if str(node.get("id")) == value.person:
        return _put(node, value.path.split("."), _place(number)) if value.path else _place(number)
    return {name: _with(each, value, number) for name, each in node.items()}


def _put(node: Any, path: list[str], placed: str) -> Any:
    if not path:
        return placed
    if isinstance(node, list):
        return [_put(each, path, placed) for each in node]
    inner = node if isinstance(node, dict) else {}
    return {**inner, path[0]: _put(inner.get(path[0]), path[1:], placed)}
