"""POST /webhooks/smarthr/<connection key> and /webhooks/freee: checked, stored, answered. Nothing else is done here.

Size before reading, then the secret, then the body. 202 once it is stored; a repetition gets the same answer. 503 with
Retry-After and nothing stored when the database cannot take it: both vendors' senders then come again. One generic 401
for a wrong secret, a missing one and an unknown connection.
"""

from __future__ import annotations

import threading
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
    """(system, code) → deliveries that were refused, or that nobody will sort (repetitions, events we do not know),
    since they were last asked for. Not in the database: a counter there would be one row for which all wait."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count_refusal(self, system: System, code: str) -> None:
        with self.lock:
            self.refused[system, code] += 1

    def take_refusals(self) -> Counter[tuple[System, str]]:
        with self.lock:
            taken, self.refused = self.refused, Counter()
        return taken

    def give_back_refusals(self, refused: Counter[tuple[System, str]]) -> None:
        """They could not be counted now; the next time."""
        with self.lock:
            self.refused.update(refused)


class WebhooksApart:
    """Webhooks go to an application of their own in the same process: no session, no form tokens, none of the hooks of
    the screens. That is a good part of what answering one costs."""

    def __init__(self, everything_else: WSGIApplication, intake: WSGIApplication) -> None:
        self._everything_else, self._intake = everything_else, intake

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        apart = environ.get("PATH_INFO", "").startswith("/webhooks/")
        return (self._intake if apart else self._everything_else)(environ, start_response)


def attach_intake(*apps: Flask, ctx: Context, database_errors: tuple[type[BaseException], ...]) -> None:
    """One intake for the application that receives and the one that tells /metrics about it."""
    intake = Intake(ctx, SenderCache(ctx), GroupCommit(lambda groups: _accept_all(ctx, groups), common=database_errors))
    for app in apps:
        app.extensions[_EXTENSION] = intake


def current_intake() -> Intake:
    intake: Intake = current_app.extensions[_EXTENSION]
    return intake


def _accept_all(ctx: Context, groups: Sequence[list[Delivery]]) -> list[list[Accepted]]:
    """Every group's results, all stored in one transaction."""
    results = iter(accept(ctx, [delivery for group in groups for delivery in group]))
    return [[next(results) for _ in group] for group in groups]


@webhooks.post("/smarthr/<connection_key>")
def receive_from_smarthr(connection_key: str) -> Response:
    intake = current_intake()
    body = _body(intake, System.SMARTHR)
    given = request.headers.get(smarthr.HEADER)
    sender = intake.senders.smarthr(connection_key)
    if not secret_matches(given, sender.secrets):
        sender = intake.senders.smarthr(connection_key, fresh=True)  # a secret may be younger than what we remember
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
    """The raw body, if it is not too large; what announces itself as too large is not read at all."""
    limit = intake.ctx.settings.webhook_max_bytes
    request.max_content_length = limit + 1  # without a length (chunked) Werkzeug cuts off there silently
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
    accepted = intake.commits.submit(deliveries, patience=PATIENCE_SECONDS)
    for each, delivery in zip(accepted, deliveries, strict=True):
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
