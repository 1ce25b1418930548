"""What the body of a refused request says, whichever of the vendors' shapes it has: `message`, `messages`, `error`,
`errors` as a list of texts or objects, or as an object of field → messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_DEEPEST = 4
_MESSAGES = ("message", "messages", "error_description", "error_message", "detail", "title")
_NAMES = ("error", "code", "codes", "type")
_FIELDS = ("field", "attribute", "param")
_INSIDE = ("errors", "error", "details")
_MOST = 20
_PLACE_IN_A_LIST = re.compile(r"\[\d*\]|\.\d+(?=\.|$)")


@dataclass(frozen=True)
class Said:
    """`messages`: for people, not yet masked; `names`: types and codes; `fields`: the vendor's names of what is
    wrong."""

    messages: tuple[str, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    fields: tuple[str, ...] = ()

    @property
    def everything(self) -> str:
        return " ".join([*self.messages, *self.names])

    def paths(self, *, sent_in: str) -> tuple[str, ...]:
        """The fields as dotted paths of a record: without the name of the object in which they are sent, and without
        places in a list."""
        return tuple(_PLACE_IN_A_LIST.sub("", name).removeprefix(f"{sent_in}.") for name in self.fields)


def read_refusal(body: Any) -> Said:
    """What the body says; nothing for HTML, an empty body, or no JSON."""
    found: dict[str, list[str]] = {"message": [], "name": [], "field": []}
    for each in body if isinstance(body, list) else [body]:
        for kind, text in _parts(each, _DEEPEST):
            found[kind].append(text)
    messages, names, fields = found.values()
    if not messages:  # {"error": "…"}: only a sentence is for people, not a code such as bad_request
        messages = [text for text in names if not text.isascii() or " " in text.strip()]
    return Said(*(tuple(dict.fromkeys(texts))[:_MOST] for texts in (messages, names, fields)))


def _parts(body: Any, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(body, Mapping) or depth == 0:
        return
    for keys, kind in ((_MESSAGES, "message"), (_NAMES, "name"), (_FIELDS, "field")):
        yield from ((kind, text) for key in keys for text in _texts(body.get(key)))
    for key in _INSIDE:
        yield from _inside(body.get(key), depth - 1, is_list_of_texts=key == "errors")


def _inside(inner: Any, depth: int, *, is_list_of_texts: bool) -> Iterator[tuple[str, str]]:
    """What stands in `errors`: texts, objects, or messages by field."""
    if is_list_of_texts:
        yield from (("message", text) for text in _texts(inner))
    for each in inner if isinstance(inner, list) else [inner]:
        yield from _parts(each, depth)
        if isinstance(each, Mapping):
            for name, told in each.items():
                if isinstance(told, list) and name not in (*_MESSAGES, *_NAMES, *_FIELDS, *_INSIDE):
                    yield from (("message", text) for text in _texts(told))
                    yield "field", str(name)


def _texts(value: Any) -> Iterator[str]:
    """A text, or the texts of a list."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip():
            yield item
