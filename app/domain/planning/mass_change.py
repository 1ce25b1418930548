"""Mass changes: which effects of a plan are grave, and when so many of them within a day wait for a person. Pure.

The rule: per connection, Awase writes unasked within any 24 hours at most max(3, 1 % of the linked people) bank
accounts, and of each of the other kinds (creating, retiring, losing a value) at most max(5, 10 % of the linked people).
Each kind has its own count; there is no common limit besides, because a month of many joiners must not hold back
leavers. It counts people per run: somebody whose account two runs change counts twice, because money goes elsewhere
twice.

A bank account counts when an employee who is known already gets one, a first one as well, because money goes there from
then on; an account that comes with a new employee counts as that employee. What a person has approved, and undo, do not
count. The shares are of the pairs linked at that moment. So the first sync of a connection, without pairs, stops as
soon as it would create a sixth employee. That is intended, because it is the moment when a wrong setting would create
all employees anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from app.domain.errors import Sentence
from app.domain.mapping import BY_KEY
from app.domain.planning.plan import Change, Plan, PlanKind
from app.domain.planning.three_way import says_something
from app.domain.snapshot import BLANK

DAY = timedelta(hours=24)


class Effect(StrEnum):
    """What a plan does to an employee that counts for a mass change: the kinds that have a limit per day."""

    CREATE = "create"
    RETIRE = "retire"
    BLANK = "blank"
    BANK = "bank"


class MassChangeCode(StrEnum):
    CREATES = "many_creates"
    RETIRES = "many_retires"
    BLANKS = "many_blanks"
    BANK_ACCOUNTS = "many_bank_accounts"
    PEOPLE = "many_people"  # of runs that an older release has held: created, retired or losing a value, together


CODES: Mapping[Effect, MassChangeCode] = {
    Effect.CREATE: MassChangeCode.CREATES,
    Effect.RETIRE: MassChangeCode.RETIRES,
    Effect.BLANK: MassChangeCode.BLANKS,
    Effect.BANK: MassChangeCode.BANK_ACCOUNTS,
}
_FEWEST = {Effect.BANK: 3}
_OTHERWISE = 5
_ONE_IN = {Effect.BANK: 100}
_ONE_IN_OTHERWISE = 10


@dataclass(frozen=True)
class MassChangeReason:
    """`count` people within a day are more than `limit`. `written`: so many of them were written already, unasked."""

    code: MassChangeCode
    count: int
    limit: int
    written: int = 0

    @property
    def effect(self) -> Effect | None:
        """None: a reason of an older release."""
        return next((effect for effect, code in CODES.items() if code is self.code), None)


def effects_of(plan: Plan, *, today: date) -> frozenset[Effect]:
    """The effects of one employee's plan that count for a mass change; none when the plan writes nothing."""
    if not plan.writes:
        return frozenset()
    if plan.kind is PlanKind.CREATE:
        return frozenset({Effect.CREATE})
    return effects_of_changes(plan.changes, today=today)


def effects_of_changes(changes: Iterable[Change], *, today: date) -> frozenset[Effect]:
    """The effects of changes to an employee who is there already."""
    found: set[Effect] = set()
    for change in changes:
        if change.after is BLANK and says_something(change.before):
            found.add(Effect.BLANK)
        if change.key == "resigned_on" and _retires(change, today):
            found.add(Effect.RETIRE)
        if BY_KEY[change.key].group == "bank":
            found.add(Effect.BANK)
    return frozenset(found)


def _retires(change: Change, today: date) -> bool:
    """A 退職年月日 where there was none, or one brought forward into the past."""
    if not isinstance(change.after, date):
        return False
    return not isinstance(change.before, date) or change.after < min(change.before, today)


def as_text(effects: Iterable[Effect]) -> str:
    """The effects in the form in which an item keeps them."""
    return " ".join(sorted(effects))


def from_text(text: str) -> frozenset[Effect]:
    return frozenset(Effect(word) for word in text.split())


def limit_of(effect: Effect, *, linked: int) -> int:
    """How many people a day may have this effect unasked. `linked`: how many people are linked."""
    return max(_FEWEST.get(effect, _OTHERWISE), linked // _ONE_IN.get(effect, _ONE_IN_OTHERWISE))


def consequences(people: Mapping[frozenset[Effect], int]) -> dict[Effect, int]:
    """How many people have each effect. `people`: how many have exactly these effects."""
    return {effect: sum(number for effects, number in people.items() if effect in effects) for effect in Effect}


def alarms(
    found: Mapping[Effect, int], *, linked: int, written: Mapping[Effect, int] | None = None
) -> tuple[MassChangeReason, ...]:
    """Why a person has to look before `found` is written; () when it may go on. `written`: what was written unasked
    within the day before."""
    before = written or {}
    return tuple(
        MassChangeReason(CODES[effect], count + before.get(effect, 0), limit, before.get(effect, 0))
        for effect in Effect
        if (count := found.get(effect, 0))
        and count + before.get(effect, 0) > (limit := limit_of(effect, linked=linked))
    )


def reason_as_dict(alarm: MassChangeReason) -> dict[str, int | str]:
    """The reason in the form in which a run keeps it."""
    return {"code": alarm.code.value, "count": alarm.count, "limit": alarm.limit, "written": alarm.written}


def reason_from_dict(kept: Mapping[str, int | str]) -> MassChangeReason:
    code, written = MassChangeCode(str(kept["code"])), kept.get("written", 0)
    return MassChangeReason(code, int(kept["count"]), int(kept["limit"]), int(written))


def sentence(alarm: MassChangeReason) -> Sentence:
    """The reason as mails, refusals and commands say it."""
    written = Sentence("mail.alarm.written", n=alarm.written) if alarm.written else ""
    return Sentence(f"mail.alarm.{alarm.code}", count=alarm.count, limit=alarm.limit, written=written)
