"""Which faults there are: a number, what happens, on which databases, and what is proved elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.chaos import automatic, faults, faults_outside, poison, repeated, restore, versions
from tests.chaos.scene import Scene

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BOTH = (SQLITE, POSTGRESQL)


@dataclass(frozen=True)
class Fault:
    """`short`: the databases on which the short form plays it."""

    name: str
    title: str
    play: Callable[[Scene], None]
    databases: tuple[str, ...] = BOTH
    short: tuple[str, ...] = (SQLITE,)


def _at(prefix: str, what: str = "kill") -> Callable[[Scene], None]:
    return partial(faults.boundary, prefix=prefix, what=what)


FAULTS: tuple[Fault, ...] = (
    Fault("F13a", "mail server dies after the final dot", faults_outside.mail_dropped_after_dot),
    Fault("F13b", "mail server says 451", faults_outside.mail_not_now),
    Fault("F13c", "mail server says 550", faults_outside.mail_refused),
    Fault("F13d", "mail server hangs", faults_outside.mail_hangs),
    Fault("F13e", "mail server down", faults_outside.mail_server_down),
    Fault("F13f", "sender killed after the server's reply", _at("after_mail@app.use_cases.finish.notify.send_mail")),
    Fault("F1", "worker killed in mid-run", faults.worker_killed, short=BOTH),
    Fault("F2", "worker killed between pop and claim", _at("before_commit@app.use_cases.employee.job.sync_item")),
    Fault("F3", "worker frozen beyond its lease", faults.worker_frozen, short=BOTH),
    Fault("F4", "web killed after its commit", _at("after_commit@app.use_cases.intake.start_run._store"), short=BOTH),
    Fault("F5", "web killed before its commit", _at("before_commit@app.use_cases.intake.start_run._store"), short=BOTH),
    Fault("F6", "relay killed between push and mark", _at("after_push@app.use_cases.upkeep.relay._push"), short=BOTH),
    Fault("F7", "broker wiped", faults.broker_flushed, short=BOTH),
    Fault("F8", "broker down, comes back empty", faults.broker_down),
    Fault("F9a", "broker deaf", faults.broker_deaf),
    Fault("F9b", "broker slow", faults.broker_slow),
    Fault("F10", "broker full", faults.broker_full),
    Fault("F11a", "database locked", faults.database_locked, databases=(SQLITE,)),
    Fault("F11b", "database crashes", faults.database_restarted, databases=(POSTGRESQL,), short=(POSTGRESQL,)),
    Fault("F14a", "429 with Retry-After", faults_outside.too_many_requests),
    Fault("F14b", "429 with Retry-After 0", faults_outside.too_many_without_pause),
    Fault("F15a", "wrong answers to reads", faults_outside.wrong_answers_to_reads),
    Fault("F15b", "wrong answers to writes", faults_outside.wrong_answers_to_writes),
    Fault("F15c", "answers to creates lost", faults_outside.create_answers_lost, short=BOTH),
    Fault("F15d", "answer too late", faults_outside.slow_answers),
    Fault("F15e", "401 once", faults_outside.refused_once),
    Fault("F16a", "tokens expire", faults_outside.tokens_expire, short=BOTH),
    Fault("F16b", "refresh answer lost", faults_outside.refresh_answer_lost),
    Fault("F17a", "one request 40 times at once", faults.asked_many_times, short=BOTH),
    Fault("F20a", "poison: worker killed", poison.killed),
    Fault("F20b", "poison: worker segfaults", poison.segfault, short=BOTH),
    Fault("F20c", "poison: a job whose time is up", poison.out_of_time),
    Fault("F20d", "poison: worker frozen beyond its lease", poison.frozen),
    Fault("F22a", "all processes restarted", faults.service_restarted, short=BOTH),
    Fault("F23", "leader killed, second takes over", faults.leader_killed),
    Fault("F24", "consent gone", faults_outside.consent_gone),
)
AUTOMATIC: tuple[Fault, ...] = (
    Fault("F17b", "one webhook of each vendor 100 times at once", repeated.webhooks),
    Fault("W1", "webhooks: both sides edited, worker killed", automatic.both_sides_edited),
    Fault("W4", "webhooks: web killed as they arrive", automatic.web_killed, short=BOTH),
    Fault("W5", "webhooks: kill -9 at each boundary of the intake", partial(automatic.boundary, kind="kill")),
    Fault("W6", "webhooks: error at each boundary of the intake", partial(automatic.boundary, kind="raise")),
    Fault("W7", "webhooks: broker wiped", faults.broker_flushed),
    Fault("W22", "webhooks: all processes restarted", faults.service_restarted),
)
"""Webhooks instead of buttons."""
RESTORES: tuple[Fault, ...] = (Fault("F25", "backup restored after more work", restore.restored),)
VERSIONS: tuple[Fault, ...] = (
    Fault("F22b", "older and newer version side by side", versions.side_by_side),
    Fault("F22c", "older version stopped, database migrated", versions.one_after_the_other, short=()),
)
SWEEPS = {"kill": "kill -9 at each boundary", "raise": "error at each boundary"}
DISK = "F12"
ELSEWHERE = {
    "F14": "without Retry-After, 99999: tests/adapters/test_http.py",
    "F18": "clock steps, leap days, months: injected clock in tests/use_cases (test_reconcile.py, test_months.py)",
    "F19": "double finish at once: tests/storage/test_races.py, on both databases",
    "F20": "answer without end: tests/adapters/test_http.py",
    "F21": "10,000 people: make bench",
}
