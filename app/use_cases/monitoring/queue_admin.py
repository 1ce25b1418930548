"""For operators: shows what waits in the queues, and queues again what the broker may have lost."""

from __future__ import annotations

from datetime import timedelta

from app.domain.enums import System
from app.storage.metrics.snapshot import ConnectionFigures
from app.storage.repository import as_row
from app.use_cases.connections.connections import connection_views
from app.use_cases.context import Context
from app.use_cases.monitoring.clocks import clocks
from app.use_cases.monitoring.snapshot import depths_now
from app.use_cases.shared.queue_again import queue_everything
from app.use_cases.shared.room import resting_connections
from app.use_cases.shared.views import IntakeView, QueueView
from app.use_cases.upkeep.reconcile import queue_stuck_mails


def queue_status(ctx: Context) -> QueueView:
    """What waits in the database and in the broker; while the broker does not answer, its part is empty."""
    depths = depths_now(ctx)
    with ctx.unit_of_work().reading() as uow:
        waiting, oldest_age = uow.outbox.waiting(ctx.clock.now(), resting=resting_connections(ctx, uow))
        return QueueView(
            queues=depths or (),
            broker_reachable=depths is not None,
            outbox_waiting=waiting,
            outbox_oldest_age=oldest_age,
            items=uow.items.counts_of_open_runs(),
            runs_open=uow.runs.open_count(),
            runs_gathering=uow.metrics.gathering()[0],
            mails_waiting=uow.mails.waiting_count(),
            connections=tuple(connection_views(ctx, uow.connections.list_all())),
            deliveries_last_hour=uow.metrics.deliveries_since(ctx.clock.now() - timedelta(hours=1)),
            intake=tuple(map(_intake, uow.metrics.connections())),
            clocks=clocks(ctx, uow),
        )


def _intake(figures: ConnectionFigures) -> IntakeView:
    last = {f"last_{system.value}_webhook": figures.last_webhook[system] for system in System}
    return as_row(IntakeView, figures, **last)


def requeue(ctx: Context, *, by: str | None = None) -> None:
    """Hand all due work to the broker once more. Work that the broker still has is done only once all the same: the
    second job for it finds nothing to claim. `by`: the actor whom the audit trail names; None: whom the door knows."""
    with ctx.unit_of_work() as uow:
        uow.audit.add(actor=by, action="queue_requeued", subject="queue", now=ctx.clock.now())
        queue_everything(ctx, uow, connection_id=None)
    queue_stuck_mails(ctx, pushed_before=ctx.clock.now())
