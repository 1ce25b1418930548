"""Log lines: JSON on standard error, from the level on that is set."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from app.logs import configure_logging


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
