"""Deletes a connection with its data. The request takes it out of service and cancels its runs; a periodic job deletes
what belongs to it, in portions, as soon as nobody is being written any more.

What is deleted and what stays is said in `storage.connections.deletions`. Whoever asks twice changes nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from app.domain.errors import AwaseError, Refused
from app.domain.settings.connection_settings import Connection
from app.storage.connections.deletions import DeletedConnection
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.connections.webhook_registration import remove_webhook
from app.use_cases.context import Context
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.connection_lookup import find_connection, known_connection

log = structlog.get_logger(__name__)

PORTIONS = 20
"""How many portions one turn of the periodic job deletes, so that the jobs after it have their turn."""


@dataclass(frozen=True)
class Deletion:
    """What the question before a deletion tells. `amounts`: see `DeletionRepository.amounts`."""

    connection: Connection
    amounts: Mapping[str, int]


def before_deletion(ctx: Context, key: str) -> Deletion:
    """Raises Refused for an unknown connection."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, key)
        return Deletion(connection, uow.deletions.amounts(connection.id))


def deleted(ctx: Context, key: str) -> bool:
    """Whether this connection was deleted before."""
    with ctx.unit_of_work().reading() as uow:
        return uow.deletions.find(key) is not None


def being_deleted(ctx: Context) -> list[DeletedConnection]:
    """Connections of which the periodic job has still to delete data."""
    with ctx.unit_of_work().reading() as uow:
        return uow.deletions.under_way()


def end_webhook(ctx: Context, key: str) -> bool:
    """Remove the webhook at SmartHR, as far as SmartHR lets us. False: it stays there, and what it sends finds no
    connection."""
    try:
        remove_webhook(ctx, key)
    except AwaseError as error:
        if error.code == "webhook_unregistered":
            return True
        log.warning("webhook_left_behind", code=error.code)
        return False
    return True


def delete_connection(ctx: Context, key: str, *, typed: str, by: str) -> None:
    """Take the connection out of service, and cancel its runs. `typed`: its name, as the person has typed it. Raises
    Refused."""
    check_typed_name(ctx, key, typed)
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        connection = known_connection(uow, key)
        uow.connections.hold(connection.id)
        amounts = uow.deletions.amounts(connection.id)
        ended = _cancel_runs(ctx, uow, connection.id)
        uow.deletions.mark(connection.id, by=by, now=now)
        uow.audit.add(
            actor=by,
            action="connection_deleted",
            subject=f"connection:{key}",
            now=now,
            detail={"name": connection.name, "runs": amounts["runs"], "cancelled": len(ended)},
        )
    log.info("connection_deleted", connection_id=connection.id, cancelled=len(ended))
    for run_id in ended:
        close_run_if_done(ctx, run_id)


def check_typed_name(ctx: Context, key: str, typed: str) -> None:
    """Raises Refused unless the person has typed the connection's name."""
    if _plain(typed) != _plain(find_connection(ctx, key).name):
        raise Refused("name_differs", fields=("typed",))


@only_at_home(0)
def empty_deleted(ctx: Context) -> int:
    """Delete a few portions of what belonged to deleted connections. Returns how many rows. Any process may do it, and
    several at once: a row is deleted once."""
    return sum(_empty(ctx, each) for each in being_deleted(ctx))


def _empty(ctx: Context, gone: DeletedConnection) -> int:
    with ctx.unit_of_work() as uow:
        ended = _cancel_runs(ctx, uow, gone.id)  # one that began at the same moment as the deletion
    for run_id in ended:
        close_run_if_done(ctx, run_id)
    total = 0
    for _ in range(PORTIONS):
        with ctx.unit_of_work() as uow:
            if uow.deletions.is_at_work(gone.id):
                return total
            found = uow.deletions.portion(gone.id)
            if found is None:
                _end(ctx, uow, gone)
                return total
            total += found[1]
    return total


def _end(ctx: Context, uow: UnitOfWork, gone: DeletedConnection) -> None:
    now = ctx.clock.now()
    uow.deletions.empty(gone.id, now=now)
    uow.audit.add(action="connection_emptied", subject=f"connection:{gone.key}", now=now)
    log.info("connection_emptied", connection_id=gone.id)


def _cancel_runs(ctx: Context, uow: UnitOfWork, connection_id: int) -> list[int]:
    """Cancel every run that is not over, also those that wait for an approval. Returns them."""
    runs = uow.deletions.open_runs(connection_id)
    for run_id in runs:
        uow.runs.cancel(run_id, ctx.clock.now())
    return runs


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip()
