"""POST /webhooks/smarthr/<connection key> and /webhooks/freee: check a delivery, store it, answer it, and nothing else.

The receiver checks the size before it reads the body, then the secret, then what the body says. It answers 202 once the
delivery is stored; a repetition gets the same answer. When the database cannot take the delivery, nothing is stored and
the answer is 503 with Retry-After: both vendors then send the delivery again. A wrong secret, a missing secret and an
unknown connection all get the same generic 401.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, request

from app.adapters.freee import webhook as freee
from app.adapters.smarthr import webhook as smarthr
from app.adapters.webhook import BadBody, secret_matches
from app.domain.enums import System
from app.domain.runs.commands import Delivery, ReceivedEvent
from app.telemetry.places import of_delivery
from app.telemetry.spans import just_ended
from app.use_cases.context import Context
from app.use_cases.intake.group_commit import GroupCommit
from app.use_cases.intake.webhook_intake import Accepted, SenderCache, accept, delivery_of, freee_secrets
from app.web.http.errors import Problem
from app.web.http.request_log import log_fields

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATIENCE_SECONDS = 5.0
"""How long a delivery waits for its turn at the database; freee gives up after 30 s, SmartHR after 60."""
_EXTENSION = "awase-intake"

webhooks = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@dataclass
class Intake:
    """What the webhook routes of one process share."""

    ctx: Context
    senders: SenderCache
    commits: GroupCommit[list[Delivery], list[Accepted]]
    refused: Counter[tuple[System, str]] = field(default_factory=Counter)
    """(system, code) → number of deliveries that were refused, or that the relay will not sort (such as repetitions and
    events we do not know), since /metrics last took the numbers. They are not counted in the database: a counter there
    would be one row for which all deliveries wait."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count_refusal(self, system: System, code: str) -> None:
        with self.lock:
            self.refused[system, code] += 1

    def take_refusals(self) -> Counter[tuple[System, str]]:
        with self.lock:
            taken, self.refused = self.refused, Counter()
        return taken

    def give_back_refusals(self, refused: Counter[tuple[System, str]]) -> None:
        """Put refusals back that could not be counted now, so that they are counted the next time."""
        with self.lock:
            self.refused.update(refused)


class WebhooksApart:
    """Sends webhooks to an application of their own in the same process.

    That application has no session, no form tokens and none of the hooks of the screens: those are a good part of what
    the answer to a webhook would cost.
    """

    def __init__(self, everything_else: WSGIApplication, intake: WSGIApplication) -> None:
        self._everything_else, self._intake = everything_else, intake

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        apart = environ.get("PATH_INFO", "").startswith("/webhooks/")
        return (self._intake if apart else self._everything_else)(environ, start_response)


def attach_intake(*apps: Flask, ctx: Context, database_errors: tuple[type[BaseException], ...]) -> None:
    """Give the same intake to the application that receives webhooks and to the one that tells /metrics about them."""
    intake = Intake(ctx, SenderCache(ctx), GroupCommit(lambda groups: _accept_all(ctx, groups), common=database_errors))
    for app in apps:
        app.extensions[_EXTENSION] = intake


def current_intake() -> Intake:
    return intake_of(current_app)


def intake_of(app: Flask) -> Intake:
    intake: Intake = app.extensions[_EXTENSION]
    return intake


def _accept_all(ctx: Context, groups: Sequence[list[Delivery]]) -> list[list[Accepted]]:
    """Store the deliveries of all groups in one transaction; returns the results of each group."""
    results = iter(accept(ctx, [delivery for group in groups for delivery in group]))
    return [[next(results) for _ in group] for group in groups]


@webhooks.post("/smarthr/<connection_key>")
def receive_from_smarthr(connection_key: str) -> Response:
    intake = current_intake()
    body = _body(intake, System.SMARTHR)
    given = request.headers.get(smarthr.HEADER)
    sender = intake.senders.smarthr(connection_key)
    if not secret_matches(given, sender.secrets):
        sender = intake.senders.smarthr(connection_key, fresh=True)  # the secret may be newer than our cache
        _check_secret(intake, System.SMARTHR, given, sender.secrets)
    event = _parsed(intake, System.SMARTHR, body, smarthr.parse_event)
    return _stored(intake, [delivery_of(intake.ctx, event, sender.connection_id, body)])


@webhooks.post("/freee")
def receive_from_freee() -> Response:
    intake = current_intake()
    body = _body(intake, System.FREEE)
    _check_secret(intake, System.FREEE, request.headers.get(freee.HEADER), freee_secrets(intake.ctx))
    event = _parsed(intake, System.FREEE, body, freee.parse_event)
    connections = intake.senders.freee(event.company_id)
    return _stored(intake, [delivery_of(intake.ctx, event, each, body) for each in connections])


def _body(intake: Intake, system: System) -> bytes:
    """The raw body, if it is not too large; a body whose announced length is too large is not read at all."""
    limit = intake.ctx.settings.webhook_max_bytes
    request.max_content_length = limit + 1  # Werkzeug silently cuts a body without a length (chunked) there
    if (request.content_length or 0) > limit or len(body := request.get_data(cache=False)) > limit:
        intake.count_refusal(system, "body_too_large")
        raise Problem("body_too_large", detail=f"本文は {limit:,} バイトまでです。")
    return body


def _check_secret(intake: Intake, system: System, given: str | None, secrets: tuple[str, ...]) -> None:
    if not secret_matches(given, secrets):
        intake.count_refusal(system, "unauthorized")
        raise Problem("webhook_unauthorized")


def _parsed(intake: Intake, system: System, body: bytes, parse: Callable[[bytes], ReceivedEvent]) -> ReceivedEvent:
    try:
        return parse(body)
    except BadBody:
        intake.count_refusal(system, "invalid_json")
        raise Problem("invalid_json") from None


def _stored(intake: Intake, deliveries: list[Delivery]) -> Response:
    began = time.monotonic()
    accepted = intake.commits.submit(deliveries, patience=PATIENCE_SECONDS)
    for each, delivery in zip(accepted, deliveries, strict=True):
        _tell(each, delivery, seconds=time.monotonic() - began)
        if each.unsorted_as is not None:
            intake.count_refusal(delivery.event.system, each.unsorted_as)
    log_fields(
        delivery_id=accepted[0].id,
        connection_id=deliveries[0].connection_id,
        event_name=deliveries[0].event.name,
        people=len(deliveries[0].event.people),
        repeated=accepted[0].repeated,
    )
    return current_app.response_class(f'{{"id":{accepted[0].id}}}\n', status=202, mimetype="application/json")


def _tell(accepted: Accepted, delivery: Delivery, *, seconds: float) -> None:
    """Tell of a receipt. A repetition stands alone: the place by which it is found belongs to the first one."""
    event = delivery.event
    just_ended(
        "webhook",
        seconds=seconds,
        at=None if accepted.repeated else of_delivery(accepted.id, delivery.digest),
        delivery_id=accepted.id,
        connection_id=delivery.connection_id,
        system=event.system,
        event=event.name if event.known else None,
        people=len(event.people),
        repeated=accepted.repeated,
    )
