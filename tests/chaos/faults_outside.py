"""Faults outside: mail server (F13), vendors (F14, F15), tokens and consent (F16, F24)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.chaos.evidence import calls
from tests.chaos.judge import Broken, calls_while_closed
from tests.chaos.parts import wait_for
from tests.chaos.scene import Scene
from tests.chaos.workload import TO_SMARTHR

TOKEN = "/public_api/token"
CLOSED_SECONDS = 3
IN_FLIGHT_SECONDS = 0.5
"""Requests that had left before the refusal was read are no offence."""

# ── F13: mail ────────────────────────────────────────────────────────────────────────────────────────────────────


def mail_server_down(scene: Scene) -> None:
    scene.house.mail_wire.refuse()
    batch = scene.start(2, 0)
    wait_for(lambda: scene.is_final(batch), seconds=60, what="the run")
    scene.pause(4, long=30)
    scene.house.mail_wire.listen()
    scene.over()
    wait_for(lambda: _nothing_waits(scene), seconds=120, what="the mail")


def mail_not_now(scene: Scene) -> None:
    """451 to the first two attempts."""
    _mail_meets(scene, "451", times=2)


def mail_hangs(scene: Scene) -> None:
    """No answer to the message, then 451; in the long form longer than we wait."""
    _mail_meets(scene, "hang", times=1, hang_seconds=33 if scene.long else 3)


def mail_dropped_after_dot(scene: Scene) -> None:
    """The server keeps the mail and dies before it says so: the repetition has the same Message-ID."""
    _mail_meets(scene, "drop_after_dot", times=1)


def _mail_meets(scene: Scene, answer: str, *, times: int, hang_seconds: int = 60) -> None:
    """A run whose mail meets this answer so often, and is out in the end."""
    _mail_answers(scene, answer, times=times, hang_seconds=hang_seconds)
    batch = scene.start(2, 0)
    scene.over()
    wait_for(lambda: scene.mailed(batch) >= 1 and _nothing_waits(scene), seconds=240, what="the mail")
    met = scene.house.mailbox_outcomes().count(answer) - scene.met_before
    if met != times:
        scene.findings.append(Broken("I4", f"{answer} was to be met {times} times, not {met}"))


def _nothing_waits(scene: Scene) -> bool:
    return not scene.house.api.get("/api/v1/queue")["mails_waiting"]


def mail_refused(scene: Scene) -> None:
    """5xx: not sent again and again, and shown as failed."""
    _mail_answers(scene, "550", times=1)
    batch = scene.start(2, 0)
    batch.mails = 0
    scene.over()
    wait_for(lambda: scene.is_final(batch), seconds=60, what="the run")
    told = [""]

    def shown() -> bool:
        told[0] = str(scene.house.api.get(f"/api/v1/runs/{batch.run_id}")["mail_state"])
        return told[0] == "failed"

    try:
        wait_for(shown, seconds=30, what="a failed mail")
    except TimeoutError:
        scene.findings.append(Broken("I4", f"a mail refused for good is shown as {told[0]}"))


def _mail_answers(scene: Scene, answer: str, *, times: int, hang_seconds: int = 60) -> None:
    """For the mail of this scene only: those of earlier ones are out, or a late one would use it up."""
    earlier = [batch for batch in scene.work.batches if batch.run_id and batch.mails]
    wait_for(lambda: all(scene.mailed(batch) for batch in earlier), seconds=240, what="the mails of earlier runs")
    wait_for(lambda: _nothing_waits(scene), seconds=240, what="the copies of earlier mails")
    scene.met_before = scene.house.mailbox_outcomes().count(answer)
    scene.house.mailbox.ask("POST", "reset")
    switches = {"answer": answer, "answer_times": times, "hang_seconds": hang_seconds}
    scene.house.mailbox.ask("PUT", "switches", switches)


# ── F14, F15: vendors ────────────────────────────────────────────────────────────────────────────────────────────


def too_many_requests(scene: Scene) -> None:
    """429 in the middle of a run, with Retry-After in seconds or as a date: silence until then, and nobody fails."""
    scene.start(8, 1)
    scene.await_writes(1)
    scene.house.freee.fault(
        {"path": "/hr/api", "status": 429, "headers": _retry_after(scene.turn), "times": 1, "body": {}}
    )
    refused: list[float] = []

    def met() -> bool:
        refused[:] = [call.at for call in calls(scene.house) if call.system == "freee" and call.status == 429]
        return bool(refused) and refused[-1] >= scene.over_at

    wait_for(met, seconds=30, what="a 429")
    closed = refused[-1] + IN_FLIGHT_SECONDS, refused[-1] + CLOSED_SECONDS - 1  # a date has whole seconds
    time.sleep(CLOSED_SECONDS)
    scene.over()
    scene.findings += calls_while_closed(calls(scene.house), system="freee", closed=closed)


def _retry_after(turn: int) -> dict[str, str]:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=CLOSED_SECONDS + 1), usegmt=True)
    return {"Retry-After": date if turn % 2 else str(CLOSED_SECONDS)}


def too_many_without_pause(scene: Scene) -> None:
    """Retry-After: 0, several times: attempts are not spent on it."""
    rule = {"path": "/hr/api", "status": 429, "headers": {"Retry-After": "0"}, "nth": 3, "times": 8, "body": {}}
    scene.house.freee.fault(rule)
    scene.start(5, 1)
    scene.over()


WRONG_ANSWERS: tuple[dict[str, Any], ...] = (
    {"status": 500, "body": {"message": "internal"}},
    {"status": 502, "body": "<html><h1>Bad Gateway</h1></html>"},
    {"status": 503, "body": {}, "headers": {"Retry-After": "1"}},
    {"cut": "silent"},
    {"cut": "mid_body"},
    {"garbage": True},
    {"drip": 2.0},
    {"status": 302, "body": "", "headers": {"Location": "http://127.0.0.1:9/elsewhere"}},
)
UNSEEN_SCHEMA = {"status": 200, "body": {"something": "else"}}


def wrong_answers_to_reads(scene: Scene) -> None:
    """Every kind of wrong answer to a read, one request apart, of both vendors; 401 once and a new schema besides."""
    for vendor in (scene.house.freee, scene.house.smarthr):
        answers = (*WRONG_ANSWERS, UNSEEN_SCHEMA)
        where = "/employees" if vendor is scene.house.freee else "/crews"
        vendor.fault(*({"method": "GET", "path": where, "nth": 2 * n + 2, **each} for n, each in enumerate(answers)))
    scene.start(6, 2)
    scene.over()


def wrong_answers_to_writes(scene: Scene) -> None:
    """Every kind of wrong answer to a write, carried out or not: unknown outcomes, and still nobody twice."""
    after = {"after": True} if scene.turn % 2 else {}
    direction = {"direction": TO_SMARTHR} if scene.turn % 4 > 1 else {}
    vendor = scene.house.smarthr if direction else scene.house.freee
    answers = [each for each in WRONG_ANSWERS if "drip" not in each]
    method = "PATCH" if direction else "PUT"
    vendor.fault(*({"method": method, "nth": 2 * n + 2, **after, **each} for n, each in enumerate(answers)))
    scene.start(8, 0, **direction)
    scene.over()


def create_answers_lost(scene: Scene) -> None:
    """The create is carried out and its answer is lost, cut or nonsense: the person must not be created again."""
    answers: tuple[dict[str, Any], ...] = (
        {"after": True},
        {"after": True, "cut": "mid_body"},
        {"after": True, "garbage": True},
    )
    scene.house.freee.fault(
        *({"method": "POST", "path": "/employees$", "nth": n + 1, **each} for n, each in enumerate(answers))
    )
    scene.start(1, 5)
    scene.over()


def slow_answers(scene: Scene) -> None:
    """One answer comes later than we wait."""
    scene.house.freee.fault({"method": "PUT", "path": "profile_rule", "nth": 2, "delay": 22})
    scene.start(4, 0)
    scene.over()


def refused_once(scene: Scene) -> None:
    """401 once although the token is good: one new token, and nobody fails."""
    since = time.time()
    scene.start(5, 1)
    scene.await_writes(1)
    scene.house.freee.fault({"path": "/hr/api", "status": 401, "times": 1, "body": {"message": "expired"}})
    scene.over()
    _one_refresh(scene, since)


# ── F16, F24: tokens and consent ─────────────────────────────────────────────────────────────────────────────────


def tokens_expire(scene: Scene) -> None:
    """Every access token dies under running workers: exactly one of them asks for a new pair."""
    since = time.time()
    scene.start(8, 1)
    scene.await_writes(1)
    scene.house.freee.ask("POST", "tokens", {"action": "expire"})
    scene.over()
    _one_refresh(scene, since)


def _one_refresh(scene: Scene, since: float) -> None:
    for batch in scene.batches:
        wait_for(lambda: scene.is_final(batch), seconds=120, what="the run")  # noqa: B023
    if scene.refreshes(since) != 1:
        scene.findings.append(Broken("I5", f"{scene.refreshes(since)} refreshes instead of one"))


def refresh_answer_lost(scene: Scene) -> None:
    """The new pair is lost on its way: the old refresh token must not be sent again; a human consents."""
    since = time.time()
    scene.house.freee.fault({"method": "POST", "path": TOKEN, "after": True, "times": 1})
    scene.house.freee.ask("POST", "tokens", {"action": "expire"})
    scene.start(4, 1)
    wait_for(lambda: scene.refreshes(since) > 0, seconds=60, what="a refresh")
    scene.pause(3, long=30)
    if scene.refreshes(since) > 1:
        scene.findings.append(Broken("I5", "a refresh whose answer was lost was sent again"))
    _consent(scene)


def consent_gone(scene: Scene) -> None:
    """All tokens are refused: nothing is lost, a mail comes, and after the consent everybody gets equal."""
    scene.house.freee.ask("POST", "tokens", {"action": "revoke"})
    scene.start(4, 1)
    wait_for(lambda: scene.house.connection_state() == "needs_consent", seconds=90, what="needs consent")
    time.sleep(1)
    _consent(scene)


def _consent(scene: Scene) -> None:
    """Runs that ended without their people are started again, as the mail told somebody to."""
    scene.house.consent()
    scene.over()
    (batch,) = scene.batches
    wait_for(lambda: scene.is_final(batch), seconds=120, what="the run")
    if scene.state(batch) != "succeeded":
        batch.may_fail = True
        scene.again(batch)
