"""What stands under which key, which processes know which keys, and whether a former key may be removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.domain.errors import Refused
from app.storage.enums import KeyKind as KeyKind
from app.storage.enums import KeyUse as KeyUse
from app.storage.keyring import Ring
from app.storage.unit_of_work import UnitOfWork
from app.storage.upkeep.keys_in_use import KeyRow, ProcessRow
from app.storage.upkeep.rotation import Portion, encrypted_columns
from app.use_cases.context import Context
from app.use_cases.upkeep.heartbeat import living

PORTION = 500
REPEATED_FOR = timedelta(days=3)
"""How long a vendor repeats a webhook that got no answer in time. A repetition that comes after the key of its first
delivery is gone looks new, so a run compares its people once more."""
VALUES, LINKS, DECISIONS, NAMES = "values", "links", "decisions", "names"


@dataclass(frozen=True)
class KeyView:
    """`use`: None for a key that was never in use. `given`: whether this process was given it. `needs`: VALUES
    (encrypted ones), LINKS (pairs whose last agreement or unsettled write is recognised by it), DECISIONS (changes that
    wait or rest) and NAMES (people who are found by name) → how many need it."""

    kind: KeyKind
    id: str
    use: KeyUse | None
    given: bool
    needs: Mapping[str, int]
    may_be_removed: bool


@dataclass(frozen=True)
class ProcessView:
    """`lacks`: ids of the newest keys that it was not given; `behind`: it still uses a former key."""

    name: str
    lacks: tuple[str, ...]
    behind: bool


@dataclass(frozen=True)
class SecretsStatus:
    """`locked`: "table.column" → values that none of the given keys opens."""

    keys: tuple[KeyView, ...]
    processes: tuple[ProcessView, ...]
    locked: Mapping[str, int] = field(default_factory=dict)
    repeats_until: datetime | None = None
    """Until then vendors may repeat webhooks that only the former signing key recognises; None: none was given, or that
    time is over."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do but to remove former keys."""
        spare = (key for key in self.keys if key.given and key.use is not KeyUse.IN_USE)
        return not self.locked and all(key.may_be_removed for key in spare)


def secrets_status(ctx: Context) -> SecretsStatus:
    with ctx.unit_of_work().reading() as uow:
        noted = {ring.kind: uow.key_uses.all(ring.kind) for ring in ctx.keys.rings}
        processes = living(ctx, uow)
    needs, locked = _needs(ctx)
    now = ctx.clock.now()
    views = (_views(ring, noted[ring.kind], needs[ring.kind], processes, locked) for ring in ctx.keys.rings)
    seen = tuple(_process(each, ctx.keys.rings) for each in processes)
    until = _repeats_until(ctx.keys.signing, noted[KeyKind.SIGNING])
    repeats = until if until is not None and until > now else None
    return SecretsStatus(tuple(view for some in views for view in some), seen, locked, repeats)


def _repeats_until(signing: Ring, noted: Iterable[KeyRow]) -> datetime | None:
    since = next((row.since for row in noted if row.use is KeyUse.IN_USE), None)
    return since + REPEATED_FOR if since is not None and len(signing.keys) > 1 else None


def _process(process: ProcessRow, rings: Iterable[Ring]) -> ProcessView:
    lacks = tuple(ring.newest.id for ring in rings if not process.knows(ring.kind, ring.newest.id))
    return ProcessView(process.name, lacks, any(is_behind(process, ring) for ring in rings))


def is_behind(process: ProcessRow, ring: Ring) -> bool:
    """Whether a process uses another key than this one does."""
    return process.using.get(ring.kind.value) != ring.in_use.id


def needed_by_key(ctx: Context, kinds: Collection[KeyKind]) -> Mapping[KeyKind, Mapping[str, int]]:
    """Kind → id of a key → how much needs it; only of these kinds, because it opens every encrypted value to know that
    of the encryption keys. A key that was not given counts as needed while anything is locked."""
    needs, locked = _needs(ctx, kinds)
    found = {kind: {key_id: counts.total() for key_id, counts in by_key.items()} for kind, by_key in needs.items()}
    if locked:
        with ctx.unit_of_work().reading() as uow:
            missing = {row.key_id for row in uow.key_uses.all(KeyKind.ENCRYPTION)} - set(ctx.keys.encryption.ids)
        found[KeyKind.ENCRYPTION] |= dict.fromkeys(missing, sum(locked.values()))
    return found


def locked_values(ctx: Context, *, most: int) -> Mapping[str, int]:
    """ "table.column" → values that none of the given keys opens. Stops after `most` of them."""
    found: Counter[str] = Counter()
    for place, portion in _portions(ctx):
        found[place] += portion.locked
        if found.total() >= most:
            break
    return +found


def lacks_a_needed_key(ctx: Context, uow: UnitOfWork) -> bool:
    """Whether this process was not given a key under which something may still stand."""
    rows = uow.key_uses.all(KeyKind.ENCRYPTION)
    return any(row.use is not KeyUse.RETIRED and row.key_id not in ctx.keys.encryption.ids for row in rows)


def forget_key(ctx: Context, key_id: str) -> None:
    """A person says that a former key is lost, or that nobody minds what stands under it: nobody is told any more that
    it is missing. Raises Refused for a key in use and for one that is not known."""
    with ctx.unit_of_work() as uow:
        rows = [row for kind in KeyKind for row in uow.key_uses.all(kind)]
        row = next((row for row in rows if row.key_id == key_id and row.use is not KeyUse.IN_USE), None)
        if row is None:
            raise Refused("key_not_former", status=404)
        uow.key_uses.retire(row.kind, key_id)
        now = ctx.clock.now()
        uow.audit.add(actor="cli", action="key_forgotten", subject=f"{row.kind.value}_key:{key_id}", now=now)


def _needs(
    ctx: Context, kinds: Collection[KeyKind] = tuple(KeyKind)
) -> tuple[Mapping[KeyKind, dict[str, Counter[str]]], Mapping[str, int]]:
    """(kind → id of a key → what needs it, "table.column" → locked values)."""
    needs: Mapping[KeyKind, dict[str, Counter[str]]] = {kind: {} for kind in KeyKind}
    locked: Counter[str] = Counter()
    for place, portion in _portions(ctx) if KeyKind.ENCRYPTION in kinds else ():
        for key_id, number in portion.under.items():
            if key_id is None:
                locked[place] += number
            else:
                needs[KeyKind.ENCRYPTION].setdefault(key_id, Counter())[VALUES] += number
    original = ctx.keys.signing.original
    for label, what, number in _digests(ctx) if KeyKind.SIGNING in kinds else ():
        needs[KeyKind.SIGNING].setdefault(label or original, Counter())[what] += number
    return needs, locked


def _portions(ctx: Context) -> Iterator[tuple[str, Portion]]:
    for table, column in encrypted_columns():
        after = None
        while True:
            with ctx.unit_of_work().reading() as uow:
                portion = uow.rotation.counted(table, column, after=after, limit=PORTION)
            after = portion.last
            yield f"{table}.{column}", portion
            if portion.rows < PORTION:
                break


def _digests(ctx: Context) -> Iterator[tuple[str, str, int]]:
    after: int | None = 0
    while after is not None:
        with ctx.unit_of_work().reading() as uow:
            after, found = uow.keyed_digests.of_links(after=after, limit=PORTION)
        yield from ((label, LINKS, number) for label, number in found.items())
    with ctx.unit_of_work().reading() as uow:
        yield from ((label, DECISIONS, number) for label, number in uow.keyed_digests.of_decisions().items())
        yield from ((label, NAMES, number) for label, number in uow.keyed_digests.of_names().items())


def _views(
    ring: Ring,
    noted: list[KeyRow],
    needs: Mapping[str, Mapping[str, int]],
    processes: list[ProcessRow],
    locked: Mapping[str, int],
) -> Iterator[KeyView]:
    uses = {row.key_id: row.use for row in noted}
    uses.setdefault(ring.in_use.id, KeyUse.IN_USE)
    behind = any(is_behind(process, ring) for process in processes)
    for key_id in dict.fromkeys((*ring.ids, *uses)):
        given, use = key_id in ring.ids, uses.get(key_id)
        if not given and use is KeyUse.RETIRED:
            continue
        needed = needs.get(key_id, {})
        blind = not given and ring.kind is KeyKind.ENCRYPTION and bool(locked)
        unneeded = use is KeyUse.RETIRED or not (sum(needed.values()) or blind)
        free = use is not KeyUse.IN_USE and unneeded and not behind and key_id != ring.newest.id
        yield KeyView(ring.kind, key_id, use, given, needed, free)
