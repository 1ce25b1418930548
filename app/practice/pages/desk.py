"""What the pages ask a practice vendor for. Each vendor has a desk; the pages are the same for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.practice.pages.items import Fault, Section


@dataclass(frozen=True)
class Brand:
    """How a vendor's pages call themselves and the things on them. `look`: the class of the page's colours."""

    look: str
    product: str
    people: str
    number: str
    hire: str
    leave: str
    leaving_day: str
    file: str
    keys: str
    """The heading of the page with what a program needs to be connected."""


@dataclass(frozen=True)
class Line:
    """One person on the list. Days as `YYYY-MM-DD`, "" for none."""

    id: str
    number: str
    name: str = field(repr=False)
    kana: str = field(repr=False)
    state: str
    is_gone: bool
    entered: str
    left: str


@dataclass(frozen=True)
class Person:
    """One person as of a month. `texts`: item name → text of the form; `months`: value → what people read."""

    line: Line
    sections: tuple[Section, ...]
    texts: Mapping[str, str] = field(repr=False)
    month: str = ""
    months: tuple[tuple[str, str], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Key:
    """Something a program needs to be connected."""

    label: str
    value: str = field(repr=False)
    note: str = ""


@dataclass(frozen=True)
class SampleFile:
    """A file to import by one click. `rows`: column → cell."""

    name: str
    title: str
    text: str
    rows: Sequence[Mapping[str, str]] = field(repr=False)


@dataclass(frozen=True)
class Imported:
    """What an import did: ids of new people, how many known ones it changed; or the faults, and then it did nothing."""

    added: tuple[str, ...] = ()
    updated: int = 0
    faults: tuple[Fault, ...] = ()


class Desk(Protocol):
    """One vendor at its screen. A month is `YYYY-MM` and "" where the product keeps none, or for the present one."""

    brand: Brand
    company: str
    """The key by which a control route names this company."""
    company_name: str

    def lines(self) -> list[Line]:
        """Everybody, in the order of the list."""
        ...

    def person(self, who: str, month: str) -> Person | None:
        """None when there is nobody with this id."""
        ...

    def hiring(self) -> tuple[Section, ...]:
        """What is asked of a new person."""
        ...

    def columns(self) -> tuple[Section, ...]:
        """What a file may hold; the first item is the number."""
        ...

    def hire(self, typed: Mapping[str, str]) -> str | list[Fault]:
        """The new person's id, or why nobody was added."""
        ...

    def change(self, who: str, typed: Mapping[str, str], month: str) -> list[Fault]: ...

    def leave(self, who: str, day: str) -> list[Fault]: ...

    def remove(self, who: str) -> None: ...

    def take_rows(self, rows: Sequence[Mapping[str, str]]) -> Imported:
        """Import rows: item name → text, empty cells left out. All rows or none."""
        ...

    def samples(self) -> list[SampleFile]: ...

    def keys(self) -> list[Key]: ...
