"""The items of a person as a screen shows and takes them: texts on the page, values of the vendor behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TEXT, DATE, NUMBER, CHOICE, YES_NO = "text", "date", "number", "choice", "yes_no"
WAS = "was."
"""Before the name of an item: the hidden field with what the form showed. Only what a person changed is sent on, so
that a form opened a while ago takes nothing back that Awase has written meanwhile."""
YES, NO = "true", "false"


@dataclass(frozen=True)
class Item:
    """One item. `name` leads to its value in the vendor's object, by dots: `address.city`, `bank_accounts.0.bank_code`.

    `choices`: the vendor's word → what people read; without the empty one the item cannot be emptied by the form.
    """

    name: str
    label: str
    kind: str = TEXT
    choices: tuple[tuple[str, str], ...] = ()
    required: bool = False
    hint: str = ""

    @property
    def field(self) -> str:
        """The last part of the name, by which a vendor's message calls it."""
        return self.name.rpartition(".")[2]

    def text(self, value: Any) -> str:
        """What stands in the form for this value."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return YES if value else NO
        return str(value)

    def shown(self, text: str) -> str:
        """What people read for the text of the form."""
        return dict(self.choices).get(text, text)

    def value(self, text: str) -> Any:
        """The vendor's value; None for an empty text. What is no number stays a text, which the vendor refuses."""
        if text == "":
            return None
        if self.kind == YES_NO:
            return {YES: True, NO: False}.get(text, text)
        if self.kind == NUMBER and re.fullmatch(r"-?[0-9]{1,18}", text):
            return int(text)
        return text


@dataclass(frozen=True)
class Section:
    """Items under one heading. `note` stands below the heading."""

    title: str
    items: tuple[Item, ...]
    note: str = ""


@dataclass(frozen=True)
class Fault:
    """Why a form was not taken. `item`: the name of the item it is about, "" for the form as a whole."""

    message: str
    item: str = ""


def yes_no(name: str, label: str, *, yes: str, no: str, empty: bool = False) -> Item:
    """An item that is true, false or, with `empty`, nothing."""
    nothing = (("", "未入力"),) if empty else ()
    return Item(name, label, YES_NO, (*nothing, (YES, yes), (NO, no)))


def at(record: Mapping[str, Any] | None, name: str) -> Any:
    """The value to which the name leads; None where the way ends before."""
    found: Any = record
    for part in name.split("."):
        if isinstance(found, list):
            found = found[int(part)] if int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def texts(record: Mapping[str, Any], sections: Iterable[Section]) -> dict[str, str]:
    """Item name → the text of the form."""
    return {item.name: item.text(at(record, item.name)) for section in sections for item in section.items}


def changed(form: Mapping[str, str], sections: Iterable[Section]) -> dict[str, str]:
    """Item name → text, of the items that a person has changed in the form."""
    names = [item.name for section in sections for item in section.items if item.name in form]
    typed = {name: form[name].strip() for name in names}
    return {name: text for name, text in typed.items() if text != form.get(f"{WAS}{name}", "").strip()}


def different(row: Mapping[str, str], present: Mapping[str, str]) -> dict[str, str]:
    """What a row of a file changes: a cell that says what is there already is no change, and is not judged."""
    return {name: text for name, text in row.items() if text != present.get(name, "")}


def about(message: str, items: Iterable[Item]) -> str:
    """The name of the item whose label the message begins with, the longest label first; "" without one."""
    fitting = [each for each in items if message.startswith(each.label)]
    return max(fitting, key=lambda each: len(each.label)).name if fitting else ""
