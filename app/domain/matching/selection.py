"""Which employees are offered for a run on a reference date (情報取得基準日)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from app.domain.employee import Person


@dataclass(frozen=True)
class Offer:
    """Whether an employee is offered. `warning`: a catalogue code, or None; always None for one who is not offered.
    `why_not`: the catalogue code of the reason why an employee is not offered."""

    offered: bool
    warning: str | None = None
    why_not: str | None = field(default=None, compare=False, repr=False)


def offer(person: Person, as_of_date: date) -> Offer:
    """Offered when 入社日 ≤ the date and (no 退職日 or 退職日 ≥ the date).

    An employee without 入社日 is offered with the warning E1, because hiding them would hide the mistake.
    """
    if person.resigned_on is not None and person.resigned_on < as_of_date:
        return Offer(offered=False, why_not="left_before")
    if person.hired_on is None:
        return Offer(offered=True, warning="E1")
    if person.hired_on > as_of_date:
        return Offer(offered=False, why_not="joins_later")
    return Offer(offered=True)
