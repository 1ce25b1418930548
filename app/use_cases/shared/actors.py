"""Actors: turns the word that runs and the audit trail keep for who acted ("user:3", "key:ab12", "webhook") into what
people read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.storage.unit_of_work import UnitOfWork

KINDS = frozenset({"user", "key", "cli", "api", "webhook", "schedule"})


@dataclass(frozen=True)
class Actor:
    """`kind`: one of KINDS, or "other". `name`: a user's login, a key's prefix; "" when the actor has no name, or its
    user is gone."""

    kind: str
    name: str = field(default="", repr=False)


def known_actors(uow: UnitOfWork, stored: Iterable[str]) -> dict[str, Actor]:
    """Stored word → actor. Costs one query at most, however many words are given."""
    words = set(stored)
    asked = any(word.startswith("user:") for word in words)
    logins = {f"user:{user.id}": user.login for user in uow.users.all()} if asked else {}
    return {word: _actor(word, logins.get(word)) for word in words}


def _actor(word: str, login: str | None) -> Actor:
    kind, _, name = word.partition(":")
    if kind not in KINDS:
        return Actor("other")
    return Actor(kind, (login or "") if kind == "user" else name)
