"""Who may decide on a change as its second person. Pure.

Actors are named by the word that runs and the audit trail keep: "user:3", "key:<prefix>", "cli", "webhook",
"schedule". Only a user with an account can be told apart from another person, so only users decide: a key belongs to a
program, and whoever types commands on the machine may be anybody. A change that no person has asked for (a webhook, the
hourly comparison) has no first person, and one entitled user decides it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

from app.domain.access.roles import Permission, Role

AUTOMATIC = frozenset({"webhook", "schedule"})
"""Actors that stand for no person: what they start has no first person."""


class WhyNot(StrEnum):
    """Why an actor cannot be the second person; the code of the refusal."""

    NO_USER = "second_person_no_user"
    NOT_ENTITLED = "second_person_not_entitled"
    IS_FIRST = "second_person_is_first"
    SWITCHED_OFF = "second_person_switched_off"


def first_persons(actors: Iterable[str | None]) -> frozenset[str]:
    """Those who have started or approved something; automatic runs have nobody."""
    return frozenset(actor for actor in actors if actor and actor not in AUTOMATIC)


def may_decide_second(role: str, *, disabled: bool) -> bool:
    """Whether a user of this role is entitled at all. A role that a newer version has written allows nothing."""
    return not disabled and role in list(Role) and Permission.DECIDE_SECOND in Role(role).permissions


def why_not_second(
    actor: str, *, first: Collection[str], switched_off_by: str | None, entitled: Collection[str]
) -> WhyNot | None:
    """None: the actor may decide. `first`: who started or approved the run; `switched_off_by`: who has switched the
    setting off last; `entitled`: the users whose role allows it."""
    if not actor.startswith("user:"):
        return WhyNot.NO_USER
    if actor not in entitled:
        return WhyNot.NOT_ENTITLED
    if actor in first:
        return WhyNot.IS_FIRST
    return WhyNot.SWITCHED_OFF if actor == switched_off_by else None


def able(*, first: Collection[str], switched_off_by: str | None, entitled: Collection[str]) -> frozenset[str]:
    """The users who may decide; nobody: only the emergency way is left, or the next proposal."""
    return frozenset(
        actor
        for actor in entitled
        if why_not_second(actor, first=first, switched_off_by=switched_off_by, entitled=entitled) is None
    )
