"""The audit trail of a period as a file, JSON lines or CSV, a portion of entries at a time.

The file begins and ends with a line of its own: `export_begins` carries the digest before the first entry,
`export_ends` that of the last one, and the head of the whole trail. So `docs/tools/verify_audit.py` can check it with
nothing but the file, and a line that was cut off is missed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

import structlog

from app.domain.access.audit_chain import FIELDS
from app.domain.errors import Refused
from app.domain.runs.dates import JAPAN
from app.storage.access.rows import AuditHead, AuditRow
from app.use_cases.context import Context
from app.use_cases.shared.spreadsheet import MARK, no_formula

log = structlog.get_logger(__name__)

COLUMNS = (*FIELDS, "digest", "seal")
_JSON = ("detail", "via")


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True)
class Export:
    """`first` to `last`: positions of the chain; `last` < `first`: nothing happened in the period."""

    since: date
    until: date
    first: int
    last: int
    before: str
    """The digest before the first entry."""
    head: AuditHead

    @property
    def name(self) -> str:
        return f"awase-audit-{self.since:%Y%m%d}-{self.until:%Y%m%d}"


def begin_export(ctx: Context, since: date, until: date, form: Format) -> Export:
    """Note the export, and find what it holds: the entries from the first to the last one of these days (in Japan, both
    included). Raises Refused when the days are the wrong way round."""
    if until < since:
        raise Refused("invalid_period.order", fields={"until": ""})
    begin, end = (datetime.combine(day, time.min, JAPAN) for day in (since, until + timedelta(days=1)))
    with ctx.unit_of_work() as uow:
        detail = {"since": since.isoformat(), "until": until.isoformat(), "format": form.value}
        uow.audit.add(action="audit_exported", subject="audit", now=ctx.clock.now(), detail=detail)
    with ctx.unit_of_work().reading() as uow:
        head = uow.audit.head()
        first, last = uow.audit.between(begin, end) or (head.position + 1, head.position)
        before = uow.audit.digest_at(first - 1) or head.purged_digest
    log.info("audit_head", position=head.position, digest=head.digest)
    return Export(since, until, first, last, before, head)


def lines_of(ctx: Context, export: Export, form: Format, say: Callable[[str], str]) -> Iterator[bytes]:
    """The file piece by piece, in UTF-8. `say`: the words for an action, which the CSV has beside its code."""
    return _json_lines(ctx, export) if form is Format.JSONL else _csv_lines(ctx, export, say)


def _json_lines(ctx: Context, export: Export) -> Iterator[bytes]:
    for portion in _portions(ctx, export):
        yield "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in portion).encode()


def _csv_lines(ctx: Context, export: Export, say: Callable[[str], str]) -> Iterator[bytes]:
    yield MARK.encode() + _csv([(*COLUMNS, "action_in_words")])
    for portion in _portions(ctx, export):
        yield _csv((*_cells(entry), say(entry["action"])) for entry in portion)


def _cells(entry: Mapping[str, Any]) -> Iterator[str]:
    for name in COLUMNS:
        value = entry[name]
        yield json.dumps(value, ensure_ascii=False) if name in _JSON else "" if value is None else str(value)


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([_safe(cell) for cell in row] for row in rows)
    return file.getvalue().encode()


def _safe(cell: str) -> str:
    """No formula; and an apostrophe of the entry itself gets another, so that whoever checks the file takes one off."""
    return no_formula(cell, also=("'",))


# ── entries ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _portions(ctx: Context, export: Export) -> Iterator[list[dict[str, Any]]]:
    """The entries, a portion per transaction, between the line that begins the file and the one that ends it."""
    period = {"since": export.since.isoformat(), "until": export.until.isoformat()}
    position, digest = export.first - 1, export.before
    yield [_edge("export_begins", position, digest, period)]
    while True:
        with ctx.unit_of_work().reading() as uow:
            rows = uow.audit.chain(after=position, up_to=export.last)
        if not rows:
            break
        yield [_entry(row) for row in rows]
        position, digest = rows[-1].position or 0, rows[-1].digest or ""
    head = {"head": export.head.position, "head_digest": export.head.digest}
    yield [_edge("export_ends", position, digest, {**period, **head})]


def _entry(row: AuditRow) -> dict[str, Any]:
    return {**row.covered, "digest": row.digest, "seal": row.seal}


def _edge(kind: str, position: int, digest: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    told = {"position": position, "at": "", "actor": "", "action": kind, "subject": "audit", "detail": detail}
    return {**told, "door": None, "address": None, "via": None, "digest": digest, "seal": None}
