"""The jobs: each takes an id and calls one use case. Their names are fixed, because `app.use_cases.upkeep.relay` queues
by name."""

from __future__ import annotations

from app.domain.runs import deadline
from app.use_cases.employee import job
from app.use_cases.finish import notify
from app.use_cases.survey import survey
from app.wiring import get_context
from workers import own_process


def survey_run(run_id: int) -> None:
    survey.survey_run(get_context(), run_id)


def sync_item(item_id: int, attempt: int) -> None:
    ctx = get_context()
    with deadline.within(ctx.settings.item_seconds):
        job.sync_item(ctx, item_id, attempt)


def send_mail(mail_id: int) -> None:
    notify.send_mail(get_context(), mail_id)


def survey_run_alone(run_id: int) -> None:
    own_process.run("survey_run", run_id)


def sync_item_alone(item_id: int, attempt: int) -> None:
    own_process.run("sync_item", item_id, attempt)


FUNCTIONS = {
    f"workers.jobs.{function.__name__}": function
    for function in (survey_run, sync_item, send_mail, survey_run_alone, sync_item_alone)
}
"""All that a worker runs, by the name under which `app.use_cases.upkeep.relay` queues it. Every parameter is a whole
number: an id, or the number of the attempt."""
