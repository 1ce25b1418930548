"""Of every table: how it is kept from growing without end. A test compares this page with the tables there are.

`BOUNDED` are the tables to which somebody adds rows by asking, again and again, for something that need not end in a
run: rows of a certain age go, and of each owner only the newest are kept. An owner is whoever causes the rows, so that
a flood of one never pushes out the rows of another. `GROWING` are the others, each with what its size depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, select, text, tuple_

from app.storage.repository import Repository
from app.storage.tables.base import Base

PORTION = 1000
"""How many rows one transaction deletes: webhooks that come in meanwhile wait for it (SQLite)."""


@dataclass(frozen=True)
class Bound:
    """`since`: the column that tells how old a row is. Rows older than `age` go, and of each owner (the same values in
    the columns `owner`) all but the `most` newest. `where`: the rows that this is about, as SQL."""

    table: str
    since: str
    age: timedelta
    owner: tuple[str, ...] = ()
    most: int | None = None
    where: str = "1 = 1"
    why: str = ""

    @property
    def rows(self) -> Table:
        return Base.metadata.tables[self.table]

    @property
    def key(self) -> ColumnElement[Any]:
        return tuple_(*self.rows.primary_key)


BOUNDED: tuple[Bound, ...] = (
    Bound(
        "idempotency",
        since="created_at",
        age=timedelta(days=7),
        owner=("owner",),
        most=10_000,
        why="Every request with a new Idempotency-Key adds a row, also one that is answered with an open preview.",
    ),
    Bound(
        "deliveries",
        since="received_at",
        age=timedelta(days=30),
        owner=("connection_id",),
        most=200_000,
        where="connection_id IS NOT NULL AND state <> 'received'",
        why="A vendor repeats a delivery for three days; operators ask about deliveries for longer. Without the right "
        "secret none is stored. One that is not sorted yet is work, and stays.",
    ),
    Bound(
        "deliveries",
        since="received_at",
        age=timedelta(days=30),
        owner=("system",),
        most=10_000,
        where="connection_id IS NULL",
        why="freee sends the webhooks of all companies with one token: those of companies that are not connected here.",
    ),
    Bound(
        "sessions",
        since="seen_at",
        age=timedelta(days=31),
        owner=("user_id",),
        most=50,
        why="Every sign-in adds one. They end by idleness and age long before (`use_cases.accounts.sign_in`).",
    ),
    Bound(
        "consents",
        since="expires_at",
        age=timedelta(0),
        owner=("connection_id",),
        most=20,
        why="Every step towards freee adds one, which counts for half an hour.",
    ),
    Bound(
        "consent_links",
        since="begun_at",
        age=timedelta(days=30),  # as long as a mailed link counts (`finish.notices.RECONNECT_DAYS`)
        owner=("connection_id",),
        most=20,
        why="Every mail about a consent has a link of its own; the first browser that begins by it adds a row.",
    ),
    Bound(
        "setups",
        since="created_at",
        age=timedelta(days=30),
        owner=("started_by",),
        most=50,
        why="Every beginning of the wizard adds one, and with it credentials that would lie about.",
    ),
    Bound(
        "invitations",
        since="expires_at",
        age=timedelta(days=30),
        owner=("invited_by",),
        most=1_000,
        why="Every invitation adds one, and with it an address.",
    ),
    Bound(
        "processes", since="seen_at", age=timedelta(days=1), why="Every process that ends without a word leaves one."
    ),
    Bound(
        "told",
        since="at",
        age=timedelta(days=30),  # longer than a mail waits for its server
        where="healed_mail_id IS NOT NULL",
        why="Every person whose trouble a mail has told leaves one, when another mail has told that it is over.",
    ),
    Bound("outbox", since="sent_at", age=timedelta(days=1), why="Every job passes through; unsent ones are work."),
)

GROWING: Mapping[str, str] = {
    "connections": "one per connection that an administrator makes",
    "webhooks": "one per connection",
    "sweeps": "one per connection",
    "beginnings": "one per connection and direction",
    "token_doors": "one per client id of this installation",
    "audit_head": "one",
    "houses": "one",
    "key_uses": "one per key and kind",
    "sightings": "a closed list of names",
    "sign_in_brakes": "bounded where they are counted: `MOST_ROWS`, each with its time (`use_cases.accounts.brakes`)",
    "storing_proofs": "the newest one; each deletes those before it",
    "leader": "one per periodic job, and per tenant in which somebody is just being created",
    "tallies": "names and labels are closed lists",
    "users": "one per person whom an administrator has let in",
    "api_keys": "one per key that an administrator has made",
    "links": "one per pair of records of one person",
    "directory": "one per person whom a vendor lists",
    "list_ends": "one per connection and system",
    "known_people": "one per person whom a vendor hides; erased with the retention time",
    "declined": "one per person",
    "troubles": "one per person and direction",
    "attention": "one per person and direction; its name is erased with the retention time",
    "stopped_changes": "one per person, direction and part of a plan",
    "runs": "one per run that somebody with the right to, a vendor's webhook or the clock has begun; refused requests "
    "add none, a person or key has one open survey, and a run is repeated once",
    "items": "the people of a run",
    "field_changes": "the values of an item; erased with the retention time",
    "item_steps": "the requests that an item has sent, at most `MAX_STARTS` times",
    "history": "the beginning and the end of a run",
    "rosters": "nothing is added any more; erased with the retention time",
    "survey_pages": "the pages of a survey that is under way",
    "unasked_writes": "the effects of items within a day, which the next write deletes",
    "mails": "one per run, and one per occasion that the clock or an administrator causes; erased with the retention "
    "time",
    "delivery_items": "the people of a delivery; they go with it",
    "audit": "what is done with a right; of what strangers can cause (`sign_in_failed`) only so much as the brakes let "
    "through, for 90 days",
}


class BoundsRepository(Repository):
    """`uow.bounds`."""

    def forget_old(self, bound: Bound, now: datetime, *, limit: int = PORTION) -> int:
        """Delete a portion of the rows that are too old. Returns how many."""
        old = bound.rows.c[bound.since] < now - bound.age
        return self._delete(bound, _keys(bound).where(old).limit(limit))

    def crowds(self, bound: Bound) -> list[tuple[Any, ...]]:
        """The owners who have more rows than are kept."""
        if bound.most is None:
            return []
        owner = [bound.rows.c[name] for name in bound.owner]
        query = select(*owner).where(text(bound.where)).group_by(*owner).having(func.count() > bound.most)
        return [tuple(row) for row in self._session.execute(query)]

    def thin_out(self, bound: Bound, owner: tuple[Any, ...], *, limit: int = PORTION) -> int:
        """Delete a portion of what an owner has beyond the newest rows. Returns how many."""
        rows = bound.rows
        mine = [rows.c[name] == value for name, value in zip(bound.owner, owner, strict=True)]
        newest_first = [rows.c[bound.since].desc(), *(column.desc() for column in rows.primary_key)]
        return self._delete(bound, _keys(bound).where(*mine).order_by(*newest_first).offset(bound.most).limit(limit))

    def _delete(self, bound: Bound, keys: Select[Any]) -> int:
        return self._changed(delete(bound.rows).where(bound.key.in_(keys)))


def _keys(bound: Bound) -> Select[Any]:
    return select(*bound.rows.primary_key).where(text(bound.where))
