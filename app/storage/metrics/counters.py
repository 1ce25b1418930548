"""Counters for /metrics that only grow. They stand in the database, so that every process counts into the same ones."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import select

from app.storage.repository import Repository
from app.storage.tables.automatic_models import CounterTable

Labels = tuple[tuple[str, str], ...]
"""Sorted (name, value) pairs."""


def labels(**given: str) -> Labels:
    return tuple(sorted(given.items()))


class CounterRepository(Repository):
    """`uow.counters`."""

    def add(self, counts: Mapping[tuple[str, Labels], int]) -> None:
        """Add to counters: (name, labels) → how much. In a fixed order, so that two transactions cannot wait for each
        other."""
        values = [
            {"name": name, "labels": json.dumps(dict(pairs), sort_keys=True), "value": count}
            for (name, pairs), count in sorted(counts.items())
            if count
        ]
        if not values:
            return
        statement = self._dialect.insert(CounterTable)
        grown = statement.on_conflict_do_update(
            index_elements=["name", "labels"], set_={"value": CounterTable.value + statement.excluded.value}
        )
        for row in values:
            self._session.execute(grown, row)

    def all(self) -> dict[str, dict[Labels, int]]:
        """Name → {labels: value}."""
        found: dict[str, dict[Labels, int]] = {}
        for record in self._session.scalars(select(CounterTable)):
            found.setdefault(record.name, {})[labels(**json.loads(record.labels))] = record.value
        return found
