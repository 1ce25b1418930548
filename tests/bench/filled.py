"""A database as an old, large customer has it: written around the repositories (PostgreSQL: by COPY), in seconds.

10,000 linked employees, or as many as are asked for; 500,000 items in 10,000 finished runs, most of them small ones of
webhooks; changes and steps of a part of them; a preview of all people; a run of as many under way; deliveries,
troubles, audit; all people wait for somebody.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from app.config import Settings
from app.domain.access.roles import Role
from app.domain.enums import Direction, Step, System, Trigger
from app.domain.matching.name_search import NameKeys, Names
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import ExportSettings, PayType
from app.domain.vendors.tokens import FreeeTokens
from app.practice.staff import practice_company
from app.storage.enums import ChangeState, DeliveryState, HistoryKind, MailKind, MailState, StepState
from app.storage.schema import migrate
from app.storage.tables.models import Base
from app.storage.unit_of_work import Database
from app.storage.values import dump_state
from app.storage.vault import Vault
from app.use_cases.accounts.api_keys import add_user
from app.use_cases.context import Context
from app.use_cases.shared.name_search import name_keys_of
from app.wiring import build_context
from tests.bench.copying import Row, copy_rows
from tests.web.addresses import Stock

PEOPLE = 10_000
ITEMS = 500_000
RUNS = 10_000
LARGE_RUNS = 40
KEY, LOGIN, PASSWORD = "renshu", "bench@example.invalid", "an-invented-password"
ENDED = (
    *((ItemState.SUCCEEDED, None),) * 60,
    *((ItemState.UNCHANGED, None),) * 30,
    *((ItemState.FAILED, "E1"),) * 4,
    *((ItemState.FAILED, "E17"),) * 3,
    *((ItemState.NEEDS_REVIEW, "link_ambiguous"),) * 2,
    (ItemState.CONFLICT, "conflict"),
)
WAITING = (
    *((ItemState.FAILED, "E1", ("hired_on",)),) * 5,
    *((ItemState.FAILED, "E17", ("title",)),) * 3,
    (ItemState.NEEDS_REVIEW, "link_ambiguous", ()),
    (ItemState.CONFLICT, "conflict", ("phone",)),
)
CHANGED = ("last_name", "title", "phone", "bank_account_number", "hired_on")
_FAMILIES = (("見本", "ミホン"), ("架空", "カクウ"), ("練習", "レンシュウ"), ("例示", "レイジ"), ("仮名", "カメイ"))
_GIVEN = (("花子", "ハナコ"), ("太郎", "タロウ"), ("一", "ハジメ"), ("桜", "サクラ"))


@dataclass(frozen=True)
class Pool:
    """Values encrypted once and used again: opening them costs the same."""

    names: tuple[str, ...]
    values: tuple[str, ...]

    @classmethod
    def made(cls, vault: Vault) -> Pool:
        names = tuple(vault.encrypt(f"見本 {number:03d}") for number in range(200))
        values = tuple(vault.encrypt(dump_state(f"値{number:03d}")) for number in range(200))
        return cls(names, values)


def fill(settings: Settings, *, people: int = PEOPLE, items: int = ITEMS, runs: int = RUNS) -> Stock:
    """Tables, a connection, an administrator, and everything above. Returns what pages are asked about."""
    migrate(settings.database_url)
    ctx = build_context(settings)
    connection = _connection(ctx)
    add_user(ctx, LOGIN, PASSWORD, role=Role.ADMIN.value)
    database = Database(settings.database_url, Vault(settings.encryption_keys))
    writer = _Writer(database, connection, people=people, keys=name_keys_of(ctx.keys.signing))
    sizes = _sizes(items - 2 * people, runs)
    writer.runs(sizes)
    writer.previewed(len(sizes) + 1)
    writer.running(len(sizes) + 2)
    writer.around()
    writer.settle()
    database.dispose()
    largest = sizes.index(max(sizes)) + 1
    return Stock(
        finished=public_id(largest),
        previewed=public_id(len(sizes) + 1),
        running=public_id(len(sizes) + 2),
        connection=KEY,
        more={"delivery_id": 1, "user_id": 1, "link_id": 1, "position": 1, "item_id": 1},
    )


def public_id(number: int) -> str:
    return str(UUID(int=number))


def _connection(ctx: Context) -> int:
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        connection = uow.connections.add(
            key=KEY,
            name="練習用の会社",
            smarthr_subdomain=practice_company.SUBDOMAIN,
            smarthr_token=practice_company.SMARTHR_TOKEN,
            freee_company_id=practice_company.FREEE_COMPANY_ID,
            mail_to=["hr@example.invalid"],
            now=now,
        )
        tokens = FreeeTokens(
            practice_company.FREEE_ACCESS_TOKEN, practice_company.FREEE_REFRESH_TOKEN, now + timedelta(hours=6)
        )
        uow.connections.set_freee_tokens(connection.id, tokens, now=now)
        uow.connections.set_export_settings(connection.id, ExportSettings("標準", "月末締め", PayType.MONTHLY, 200_000))
    return connection.id


def _sizes(items: int, runs: int) -> list[int]:
    """Items per run: LARGE_RUNS share nine tenths, the rest are small ones, mixed among each other."""
    large = min(LARGE_RUNS, runs)
    sizes = [items * 9 // 10 // large] * large
    small = runs - large
    sizes += [max(1, items // 10 // small)] * small if small else []
    random.Random(4).shuffle(sizes)
    return sizes


class _Writer:
    """Ids of rows are given here, so that rows of one table can name rows of another before either is written."""

    def __init__(self, database: Database, connection_id: int, *, people: int, keys: NameKeys) -> None:
        self._database, self._keys = database, keys
        self._connection_id = connection_id
        self._people = people
        self._pool = Pool.made(database.vault)
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._next_item = 1

    def runs(self, sizes: list[int]) -> None:
        """Finished ones, the oldest first."""
        firsts, counts = [], []
        for size in sizes:
            firsts.append(self._next_item)
            self._next_item += size
            counts.append(_counts(size))
        numbered = list(enumerate(sizes, start=1))
        self._copy("runs", (self._run(n, size, counts[n - 1], len(sizes)) for n, size in numbered))
        self._copy("history", (row for n, _ in numbered for row in self._history(n, counts[n - 1], len(sizes))))
        self._copy("mails", (self._mail(n, len(sizes)) for n, size in numbered if size > 1))
        self._copy(
            "items",
            (row for n, size in numbered for row in self._items(n, firsts[n - 1], size, len(sizes))),
        )
        largest = sizes.index(max(sizes))
        detailed = [largest, *(n for n in range(max(0, len(sizes) - 200), len(sizes)) if n != largest)]
        told = [firsts[n] + place for n in detailed for place in range(sizes[n]) if place % 100 < 60]
        self._copy("field_changes", (row for item in told for row in self._changes(item, ChangeState.WRITTEN)))
        self._copy("item_steps", (self._step(item) for item in told))

    def previewed(self, number: int) -> None:
        run = {"dry_run": True, "state": RunState.PREVIEWED, "surveyed_at": self._now, "finished_at": None}
        self._copy("runs", [{**self._bare_run(number, self._now), **run, "total": self._people}])
        self._copy("history", [self._entry(number, HistoryKind.START, self._now)])
        first, waiting = self._next_item, self._people * 3 // 10
        self._next_item += self._people
        waits = {"chosen": True, "state": ItemState.WAITING, "finished_at": None, "error_code": None}
        equal = {"chosen": False, "state": ItemState.UNCHANGED, "error_code": None, "kind": "nothing"}
        rows = (
            {**self._item(number, first + place, place, self._now), **(waits if place < waiting else equal)}
            for place in range(self._people)
        )
        self._copy("items", rows)
        planned = range(first, first + waiting)
        self._copy(
            "field_changes",
            (row for item in planned for row in self._changes(item, ChangeState.PLANNED)),
        )

    def running(self, number: int) -> None:
        run = {"state": RunState.RUNNING, "surveyed_at": self._now, "finished_at": None, "total": self._people}
        self._copy("runs", [{**self._bare_run(number, self._now), **run}])
        self._copy("history", [self._entry(number, HistoryKind.START, self._now)])
        first, half = self._next_item, self._people // 2
        self._next_item += self._people
        waits = {"state": ItemState.WAITING, "finished_at": None, "started_at": None, "error_code": None}
        rows = (
            {**self._item(number, first + place, place, self._now), **({} if place < half else waits)}
            for place in range(self._people)
        )
        self._copy("items", rows)

    def around(self) -> None:
        """What else a house has after a year."""
        people, connection = range(1, self._people + 1), {"connection_id": self._connection_id}
        agreed = json.dumps(dict.fromkeys(CHANGED, "d" * 32))
        now = {"created_at": self._now}
        self._copy(
            "links",
            ({**connection, **now, "smarthr_id": f"crew-{n}", "freee_id": str(n), "baseline": agreed} for n in people),
        )
        self._copy(
            "directory",
            ({**connection, **self._listed(s, n), "seen_at": self._now} for s in System for n in people),
        )
        self._copy("deliveries", (self._delivery(n) for n in range(1, 2 * self._people + 1)))
        self._copy("troubles", (self._trouble(n) for n in range(1, 201)))
        self._copy("attention", (self._attention(n) for n in people))
        self._copy("audit", (self._audit(n) for n in range(1, self._people + 1)))

    def settle(self) -> None:
        """Ids go on behind ours, and the planner knows what there is."""
        if self._database.engine.dialect.name == "sqlite":
            with self._database.engine.connect() as connection:
                connection.exec_driver_sql("ANALYZE")
                connection.commit()
            return
        with self._database.engine.begin() as connection:
            for table in Base.metadata.sorted_tables:
                if "id" in table.columns:
                    sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
                    last = f"SELECT coalesce(max(id), 1) FROM {table.name}"
                    connection.exec_driver_sql(f"SELECT setval({sequence}, ({last}))")
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")

    # ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _began(self, number: int, runs: int) -> datetime:
        return self._now - timedelta(minutes=50 * (runs - number + 1))

    def _bare_run(self, number: int, began: datetime) -> Row:
        return {
            "id": number,
            "public_id": public_id(number),
            "connection_id": self._connection_id,
            "direction": list(Direction)[number % 2],
            "trigger": Trigger.MANUAL,
            "as_of_date": date(2026, 11, 22),
            "dry_run": False,
            "queue": "bulk",
            "started_by": "user:1",
            "created_at": began,
            "started_at": began,
            "deadline_at": began + timedelta(days=1),
        }

    def _run(self, number: int, size: int, counts: Mapping[str, int], runs: int) -> Row:
        trigger = {"trigger": Trigger.WEBHOOK, "started_by": "webhook"} if number % 10 else {}
        began = self._began(number, runs)
        over = {"finished_at": began + timedelta(minutes=5), "counts": json.dumps(counts), "total": size}
        return {**self._bare_run(number, began), **trigger, **over, "state": _result(counts)}

    def _entry(self, number: int, kind: HistoryKind, at: datetime, result: RunState | None = None) -> Row:
        return {"run_id": number, "kind": kind, "at": at, "result": result}

    def _history(self, number: int, counts: Mapping[str, int], runs: int) -> Iterator[Row]:
        began = self._began(number, runs)
        yield self._entry(number, HistoryKind.START, began)
        yield self._entry(number, HistoryKind.END, began + timedelta(minutes=5), _result(counts))

    def _mail(self, number: int, runs: int) -> Row:
        at = self._began(number, runs)
        own = {"run_id": number, "kind": MailKind.SUMMARY, "state": MailState.SENT, "message_id": f"<{number}@awase>"}
        return {**own, "next_at": at, "created_at": at, "sent_at": at, "attempts": 1}

    def _items(self, number: int, first: int, size: int, runs: int) -> Iterator[Row]:
        at = self._began(number, runs)
        for place in range(size):
            yield self._item(number, first + place, place, at)

    def _listed(self, system: System, number: int) -> Row:
        marks = self._keys.marks(_person(system, number), _names(number))
        who = {"system": system, "employee_number": f"{number:05d}", "person_id": _person(system, number)}
        return {**who, "name_digests": marks.digests, "names_by": marks.made_by}

    def _item(self, run: int, item: int, place: int, at: datetime) -> Row:
        state, code = ENDED[place % len(ENDED)]
        person = place % self._people + 1
        direction = list(Direction)[run % 2]
        return {
            "id": item,
            "run_id": run,
            "connection_id": self._connection_id,
            "direction": direction,
            "position": place,
            "employee_number": f"{person:05d}",
            "source_id": _person(direction.source, person),
            "target_id": _person(direction.target, person),
            "kind": "update",
            "queue": "bulk",
            "state": state,
            "holds_slot": False,
            "attempt": 1,
            "next_at": at,
            "error_code": code,
            "notes": "[]",
            "name_enc": self._pool.names[place % 200],
            "pay_month": "2026-12",
            "created_at": at,
            "started_at": at,
            "finished_at": at + timedelta(seconds=place % 300),
        }

    def _changes(self, item: int, state: ChangeState) -> Iterator[Row]:
        for place, key in enumerate(CHANGED):
            before, after = (self._pool.values[(item + place + side) % 200] for side in (0, 1))
            own = {"item_id": item, "key": key, "before_enc": before, "after_enc": after}
            yield {**own, "state": state, "step": Step.EMPLOYEE}

    def _step(self, item: int) -> Row:
        own = {"item_id": item, "attempt": 1, "step": Step.EMPLOYEE, "state": StepState.DONE}
        return {**own, "keys": json.dumps(CHANGED), "at": self._now}

    def _delivery(self, number: int) -> Row:
        return {
            "id": number,
            "system": System.SMARTHR,
            "connection_id": self._connection_id,
            "event": "crew.updated",
            "digest": f"{number:064d}",
            "state": DeliveryState.ACCEPTED,
            "people": json.dumps([f"crew-{number % self._people + 1}"]),
            "received_at": self._now - timedelta(minutes=number),
        }

    def _trouble(self, number: int) -> Row:
        times = {"times": 3, "first_at": self._now, "last_at": self._now}
        who = {"direction": Direction.SMARTHR_TO_FREEE, "source_id": f"crew-{number}", "code": "E1"}
        return {"connection_id": self._connection_id, **who, **times, "employee_number": f"{number:05d}"}

    def _attention(self, number: int) -> Row:
        """One in twenty looks mended, one in forty is left for now."""
        direction, (state, code, keys) = list(Direction)[number % 2], WAITING[number % len(WAITING)]
        left = number % 40 == 0
        return {
            "connection_id": self._connection_id,
            "direction": direction,
            "source_id": _person(direction.source, number),
            "target_id": _person(direction.target, number),
            "employee_number": f"{number:05d}",
            "name_enc": self._pool.names[number % 200],
            "state": state,
            "code": code,
            "item_keys": json.dumps(keys),
            "cause": " ".join((code, *keys)),
            "trigger": Trigger.MANUAL,
            "run_id": 1,
            "item_id": number,
            "since": self._now - timedelta(minutes=number),
            "at": self._now,
            "mended": json.dumps(keys) if number % 20 == 1 and keys else None,
            "waived_until": self._now.date() + timedelta(days=7) if left else None,
            "waived_at": self._now if left else None,
            "waived_by": "user:1" if left else None,
            "waived_reason_enc": self._pool.names[0] if left else None,
        }

    def _audit(self, number: int) -> Row:
        subject = f"run:{public_id(number)}"
        return {"at": self._now, "actor": "user:1", "action": "run_approved", "subject": subject, "detail": "{}"}

    def _copy(self, table: str, rows: Iterable[Row]) -> None:
        copy_rows(self._database, table, rows)


def _person(system: System, number: int) -> str:
    return f"crew-{number}" if system is System.SMARTHR else str(number)


def _names(number: int) -> Names:
    last, kana = _FAMILIES[number % len(_FAMILIES)]
    first, first_kana = _GIVEN[number // len(_FAMILIES) % len(_GIVEN)]
    return Names(last, f"{first}{number % 97}", kana, first_kana)


def _counts(size: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in range(min(size, len(ENDED))):
        state = ENDED[place][0].value
        rounds = (size - place - 1) // len(ENDED) + 1
        found[state] = found.get(state, 0) + rounds
    return found


def _result(counts: Mapping[str, int]) -> RunState:
    bad = {ItemState.FAILED.value, ItemState.CONFLICT.value, ItemState.NEEDS_REVIEW.value} & set(counts)
    return RunState.PARTLY_FAILED if bad else RunState.SUCCEEDED
