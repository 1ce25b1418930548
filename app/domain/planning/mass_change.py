"""Mass changes: what of a plan is grave, and when so many plans together have to wait for a person. Pure.

How the rule is read ("would create, retire or blank more than max(5, 10 %) of the linked people or change more than 3
bank accounts"): somebody counts once who is created, retired or loses a value, whichever of these happen to them, and
all of them together are held against one limit. Bank accounts are counted by themselves: everybody already known whose
account is written, a first account as well, because money goes there from then on; an account that comes with a new
person is counted as that person. The 10 % are of the pairs linked before the run. So the first sync of a connection,
which has none, stops as soon as it would create a sixth person: intended, because that is when a wrong setting would
create everybody anew.
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
"""One in so many."""
MOST_BANK_ACCOUNTS = 3
HARMLESS_PEOPLE = min(FEWEST_PEOPLE, MOST_BANK_ACCOUNTS)
"""So few people cannot raise an alarm, whatever happens to them."""


class Effect(StrEnum):
    """What a plan does to somebody that counts for a mass change."""

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
    """Numbers of people. `people`: those who are created, retired or lose a value, each once."""

    people: int = 0
    creates: int = 0
    retires: int = 0
    blanks: int = 0
    bank_accounts: int = 0


@dataclass(frozen=True)
class MassChangeReason:
    """`count` people are more than `limit`. Of MANY_PEOPLE: how many are created, retired and blanked (somebody may be
    in two of them)."""

    code: MassChangeCode
    count: int
    limit: int
    creates: int = 0
    retires: int = 0
    blanks: int = 0


def effects_of(plan: Plan, *, today: date) -> frozenset[Effect]:
    """What counts of one employee's plan; nothing when it writes nothing."""
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
    """As an item keeps them."""
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
    """Why a person has to look first; () when nobody has to. `linked`: the connection's linked people."""
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
    """As a run keeps it."""
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
    """In Japanese, as mails and refusals say it."""
    parts = (("新規登録", alarm.creates), ("退職", alarm.retires), ("値の消去", alarm.blanks))
    told = "、".join(f"{name}{count}人" for name, count in parts if count)
    return _SENTENCES[alarm.code].format(count=alarm.count, limit=alarm.limit, parts=told)
