"""The vendors' own words about an employee, as far as the reader may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.domain.error_catalogue.vendor_words import masked
from app.domain.mapping import BY_KEY
from app.domain.vendors.answer import VendorAnswer, unpacked
from app.storage.runs.rows import ChangeRow, ItemRow


def answers_in_plain(row: ItemRow) -> tuple[VendorAnswer, ...]:
    """For whoever may see every value."""
    return unpacked(row.detail)


def answers_without_masked(row: ItemRow, changes: Iterable[ChangeRow]) -> tuple[VendorAnswer, ...]:
    """For whoever may see people, but not bank accounts, insurance numbers and standard incomes."""
    return _masked(row, _values(each for each in changes if each.key not in BY_KEY or BY_KEY[each.key].masked))


def answers_without_values(row: ItemRow, changes: Iterable[ChangeRow]) -> tuple[VendorAnswer, ...]:
    """For a mail: without names and values."""
    return _masked(row, [row.name, *row.name.split(), *_values(changes)])


def _masked(row: ItemRow, values: Iterable[object]) -> tuple[VendorAnswer, ...]:
    hidden = list(values)
    return tuple(replace(each, words=masked(each.words, hidden)) for each in unpacked(row.detail))


def _values(changes: Iterable[ChangeRow]) -> Iterator[object]:
    for change in changes:
        yield from (change.before, change.after)
        yield from (change.raw or {}).values()
