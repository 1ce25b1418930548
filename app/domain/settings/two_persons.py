"""Two persons for accounts: which changes of a connection wait for a second person, and for how long."""

from __future__ import annotations

from enum import StrEnum

from app.domain.errors import Refused, Sentence

USUAL_HOURS = 72
FEWEST_HOURS, MOST_HOURS = 1, 720
FEWEST_PERSONS = 2


class TwoPersons(StrEnum):
    """The changes that wait for a second person."""

    OFF = "off"
    ACCOUNTS = "accounts"
    ACCOUNTS_AND_INCOME = "accounts_and_income"

    def is_less_than(self, other: TwoPersons) -> bool:
        """Whether fewer changes wait than with the other setting: to change over to this one is to switch off."""
        order = list(TwoPersons)
        return order.index(self) < order.index(other)


def checked(mode: str, hours: str | int | None) -> tuple[TwoPersons, int | None]:
    """The setting as somebody typed it; no hours, or "default", stand for USUAL_HOURS. Raises Refused naming every
    wrong part."""
    faults: dict[str, Sentence | str] = {}
    if mode not in list(TwoPersons):
        faults["two_persons"] = Sentence("fields.one_of", choices=tuple(each.value for each in TwoPersons))
    kept = None if hours in (None, "", "default") else str(hours).strip()
    if kept is not None and not (kept.isdecimal() and FEWEST_HOURS <= int(kept) <= MOST_HOURS):
        faults["hours"] = Sentence("fields.hours", fewest=FEWEST_HOURS, most=MOST_HOURS)
    if faults:
        raise Refused("invalid_two_persons", fields=faults)
    return TwoPersons(mode), None if kept is None else int(kept)


def refuse_too_few(before: TwoPersons, wanted: TwoPersons, entitled: int) -> None:
    """Raises Refused when more changes would wait than before while fewer than two people may decide."""
    if before.is_less_than(wanted) and entitled < FEWEST_PERSONS:
        raise Refused("too_few_second_persons", status=409)
