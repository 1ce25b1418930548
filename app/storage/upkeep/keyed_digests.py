"""Which stored digests stand under which signing key, as far as that key is needed to compare them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import func, select

from app.domain.matching.name_search import label_of
from app.domain.planning.rule_version import UNKNOWN, key_label
from app.domain.planning.three_way import ROWS_KEY, UNDONE
from app.domain.runs.run_state import ItemState
from app.storage.repository import Repository
from app.storage.tables.automatic_models import DeclinedTable
from app.storage.tables.models import DirectoryTable, ItemTable, LinkTable
from app.storage.tables.stopped_models import StoppedChangeTable

_NO_DIGESTS = frozenset({UNDONE, UNKNOWN, ""})


class KeyedDigestRepository(Repository):
    """`uow.keyed_digests`."""

    def of_links(self, *, after: int, limit: int) -> tuple[int | None, Counter[str]]:
        """Key label → links that need that key, among up to `limit` living links behind this id; and the id of the last
        one, None without any. One link may need several keys."""
        query = (
            select(LinkTable.id, LinkTable.baseline, LinkTable.unsettled)
            .where(LinkTable.id > after, LinkTable.unlinked_at.is_(None))
            .order_by(LinkTable.id)
            .limit(limit)
        )
        rows = self._session.execute(query).all()
        found = Counter(label for row in rows for label in _labels([*_agreed(row.baseline), *_sent(row.unsettled)]))
        return (rows[-1].id if rows else None), found

    def of_decisions(self) -> Counter[str]:
        """Key label → what people have decided, or are asked to decide, and is recognised by that key."""
        queries = (
            select(StoppedChangeTable.digest),
            select(ItemTable.approved_digest).where(
                ItemTable.state.not_in([state for state in ItemState if state.is_final]),
                ItemTable.approved_digest.is_not(None),
            ),
        )
        made = [[digest] for query in queries for digest in self._session.scalars(query) if digest]
        made += [list(changes.values()) for changes in self._session.scalars(select(DeclinedTable.changes))]
        return Counter(label for digests in made for label in _labels(digests))

    def of_names(self) -> Counter[str]:
        """Key label → people who are found by name under that key."""
        named = DirectoryTable.names_by.is_not(None)
        query = select(DirectoryTable.names_by, func.count()).where(named).group_by(DirectoryTable.names_by)
        found: Counter[str] = Counter()
        for made_by, people in self._session.execute(query):
            found[label_of(made_by or "")] += people
        return found


def _labels(digests: Iterable[str]) -> set[str]:
    return {key_label(digest) for digest in digests if digest not in _NO_DIGESTS}


def _agreed(baseline: Mapping[str, str]) -> Iterator[str]:
    return (digest for key, digest in baseline.items() if key != ROWS_KEY)


def _sent(unsettled: Mapping[str, Any] | None) -> Iterator[str]:
    for memory in (unsettled or {}).values():
        for sent in memory.values():
            yield from (sent["wrote"], sent["found"])
