"""Mass changes: which effects of a plan are grave, and when many plans together have to wait for a person. Pure.

The rule: a run waits when it "would create, retire or blank more than max(5, 10 %) of the linked people or change more
than 3 bank accounts". This module reads it as follows. An employee who is created, retired or loses a value counts
once, even when several of these happen to them, and all such employees together are compared with one limit. Bank
accounts have a count of their own: every already known employee whose account is written, a first account as well,
because money goes there from then on; an account that comes with a new employee counts as that employee. The 10 % are
of the pairs linked before the run. So the first sync of a connection, which has no pairs, stops as soon as it would
create a sixth employee. That is intended, because it is the moment when a wrong setting would create all employees
anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.domain.mapping import BY_KEY
from app.domain.planning.plan import Change, Plan, PlanKind
from app.domain.planning.three_way import says_something
from app.domain.snapshot import BLANK

FEWEST_PEOPLE = 5
SHARE_OF_LINKED = 10
"""The limit is one in this many of the linked people (10 %)."""
MOST_BANK_ACCOUNTS = 3
HARMLESS_PEOPLE = min(FEWEST_PEOPLE, MOST_BANK_ACCOUNTS)
"""So few people cannot make a mass change, even when every effect happens to each of them."""


class Effect(StrEnum):
    """What a plan does to an employee that counts for a mass change."""

    CREATE = "create"
    RETIRE = "retire"
    BLANK = "blank"
    BANK = "bank"


_OF_PEOPLE = frozenset({Effect.CREATE, Effect.RETIRE, Effect.BLANK})


class MassChangeCode(StrEnum):
    PEOPLE = "many_people"
    BANK_ACCOUNTS = "many_bank_accounts"


@dataclass(frozen=True)
class Consequences:
    """How many employees have each effect. `people`: those who are created, retired or lose a value, each once."""

    people: int = 0
    creates: int = 0
    retires: int = 0
    blanks: int = 0
    bank_accounts: int = 0


@dataclass(frozen=True)
class MassChangeReason:
    """`count` people are more than `limit`. `creates`, `retires` and `blanks` are told with PEOPLE (one employee may
    count in two of them)."""

    code: MassChangeCode
    count: int
    limit: int
    creates: int = 0
    retires: int = 0
    blanks: int = 0


def effects_of(plan: Plan, *, today: date) -> frozenset[Effect]:
    """The effects of one employee's plan that count for a mass change; none when the plan writes nothing."""
    if not plan.writes:
        return frozenset()
    if plan.kind is PlanKind.CREATE:
        return frozenset({Effect.CREATE})
    found: set[Effect] = set()
    for change in plan.changes:
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


def consequences(people: Mapping[frozenset[Effect], int]) -> Consequences:
    """`people`: how many have exactly these effects."""

    def count(*wanted: Effect) -> int:
        return sum(number for effects, number in people.items() if effects & frozenset(wanted))

    return Consequences(
        people=count(*_OF_PEOPLE),
        creates=count(Effect.CREATE),
        retires=count(Effect.RETIRE),
        blanks=count(Effect.BLANK),
        bank_accounts=count(Effect.BANK),
    )


def alarms(found: Consequences, *, linked: int) -> tuple[MassChangeReason, ...]:
    """Why a person has to look before the run writes; () when it may go on. `linked`: how many people are linked."""
    limit = max(FEWEST_PEOPLE, linked // SHARE_OF_LINKED)
    raised = []
    if found.people > limit:
        raised.append(
            MassChangeReason(MassChangeCode.PEOPLE, found.people, limit, found.creates, found.retires, found.blanks)
        )
    if found.bank_accounts > MOST_BANK_ACCOUNTS:
        raised.append(MassChangeReason(MassChangeCode.BANK_ACCOUNTS, found.bank_accounts, MOST_BANK_ACCOUNTS))
    return tuple(raised)


def reason_as_dict(alarm: MassChangeReason) -> dict[str, int | str]:
    """The reason in the form in which a run keeps it."""
    return {
        "code": alarm.code.value,
        "count": alarm.count,
        "limit": alarm.limit,
        "creates": alarm.creates,
        "retires": alarm.retires,
        "blanks": alarm.blanks,
    }


_SENTENCES = {
    MassChangeCode.PEOPLE: "登録・退職・値の消去の対象が{count}人（上限{limit}人。内訳: {parts}）",
    MassChangeCode.BANK_ACCOUNTS: "口座を書き込む対象が{count}人（上限{limit}人）",
}


def sentence(alarm: MassChangeReason) -> str:
    """The reason in Japanese, as mails and refusals say it."""
    parts = (("新規登録", alarm.creates), ("退職", alarm.retires), ("値の消去", alarm.blanks))
    told = "、".join(f"{name}{count}人" for name, count in parts if count)
    return _SENTENCES[alarm.code].format(count=alarm.count, limit=alarm.limit, parts=told)
