"""Log lines: JSON on standard error, from the level on that is set."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
import structlog
from flask import Flask

from app.logs import configure_logging
from app.practice.house.processes import ROOT
from app.use_cases.connections import pause_resume
from app.use_cases.intake import delivery_replay
from app.use_cases.upkeep import relay
from tests.web.hooks import CANARIES, SECRET, listen, send_smarthr, smarthr_body, stored
from tests.web.world import KEY, World


def test_lines_are_json_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING")
    structlog.get_logger("x").info("not told")
    structlog.get_logger("x").warning("told", run_id=7)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["run_id"], entry["level"]) == ("told", 7, "warning")


def test_no_level_shows_the_queries_of_vendor_calls(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    structlog.get_logger("x").debug("told")
    logging.getLogger("urllib3.connectionpool").debug("GET /crews?emp_code=00123")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["told"]


def test_an_unknown_level_is_info(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("chatty")
    structlog.get_logger("x").info("told")
    structlog.get_logger("x").debug("not told")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["told"]


LIVES = {
    "an orderly end": ('log.info("one"); log.info("two")', ["one", "two"]),
    "a warning before a sudden end": ('log.info("one"); log.warning("two"); os._exit(0)', ["one", "two"]),
    "a sudden end that was prepared": ('log.info("one"); log.info("two"); flush_lines(); os._exit(0)', ["one", "two"]),
    "time before a sudden end": ('log.info("one"); time.sleep(1); os._exit(0)', ["one"]),
    "a child of its own": (
        'log.info("one")\nif os.fork() == 0: log.info("two"); os._exit(0)\nos.wait()',
        ["one", "two"],
    ),
}


@pytest.mark.parametrize("life", LIVES)
def test_gathered_lines_are_written_each_once(life: str) -> None:
    program, expected = LIVES[life]
    begin = (
        "import os, time, structlog\nfrom app.logs import configure_logging, flush_lines, gather_lines\n"
        'configure_logging("INFO"); gather_lines(); log = structlog.get_logger("x")\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + program], cwd=ROOT, capture_output=True, timeout=60, check=True
    )
    assert sorted(json.loads(line)["event"] for line in done.stderr.splitlines()) == expected


def lines(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [entry for entry in every if entry["event"] == event]


@pytest.mark.parametrize("full", [False, True])
def test_a_webhook_is_told_by_ids_and_nothing_else(
    full: bool, app: Flask, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = listen(world)
    configure_logging("DEBUG")
    answer = send_smarthr(app.test_client(), smarthr_body("crew_imported", "crew-1", "crew-2", full=full))
    assert answer.status_code == 202
    output = capsys.readouterr().err
    entries = [json.loads(line) for line in output.splitlines()]
    (told,) = (entry for entry in entries if entry["event"] == "request")
    assert (told["delivery_id"], told["connection_id"]) == (answer.get_json()["id"], connection.id)
    assert (told["event_name"], told["people"], told["repeated"]) == ("crew_imported", 2, False)
    assert (told["rule"], told["status"]) == ("/webhooks/smarthr/<connection_key>", 202)
    for secret in (*CANARIES, SECRET, KEY, "crew-1"):
        assert secret not in output, secret


def test_what_follows_from_a_webhook_carries_the_same_ids(
    app: Flask, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    listen(world)
    configure_logging("INFO")
    delivery_id = send_smarthr(app.test_client(), smarthr_body()).get_json()["id"]
    world.clock.turn(minutes=2)
    capsys.readouterr()
    relay.relay_once(world.ctx)
    (run,) = stored(world.database).runs
    (released,) = lines(capsys, "run_released")
    assert (released["run_id"], released["items"]) == (run.id, 1)
    delivery_replay.replay(world.ctx, delivery_id)
    (replayed,) = lines(capsys, "deliveries_replayed")
    assert (replayed["delivery_id"], replayed["deliveries"]) == (delivery_id, 1)


def test_pausing_names_the_connection_by_its_number(
    app: Flask, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is part of the webhook's address."""
    connection = listen(world)
    configure_logging("INFO")
    pause_resume.pause(world.ctx, KEY)
    pause_resume.resume(world.ctx, KEY)
    output = capsys.readouterr().err
    entries = [json.loads(line) for line in output.splitlines()]
    told = {e["event"]: e["connection_id"] for e in entries if e["event"].startswith("connection_")}
    assert told == {"connection_paused": connection.id, "connection_resumed": connection.id}
    assert KEY not in output
