"""What `make run` leaves to look at on its first start: a finished sync with its mail, and a preview that waits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

from app.practice.house.demo import FINAL, Api, DemoError
from app.practice.staff import practice_company

DIRECTION = "smarthr_to_freee"
RUN_SECONDS = 180
MAIL_SECONDS = 30
PAUSE_SECONDS = 0.3


def leave_something_to_see(url: str, connection: str, api_key: str, *, mailbox: Path) -> str:
    """Sync every second employee, then preview all employees; do nothing when there was a run already.

    Returns a notice for the person when it did not work; the house goes on all the same.
    """
    api = Api(url, api_key)
    try:
        if api.get("/api/v1/runs", limit=1)["items"]:
            return ""
        common = {
            "connection": connection,
            "direction": DIRECTION,
            "as_of_date": practice_company.japan_today().isoformat(),
        }
        offered = api.get("/api/v1/employees", **common)["items"]
        numbers = [each["employee_number"] for each in offered if each["warning"] is None][::2]
        _begin(api, {**common, "employees": numbers, "dry_run": False, "acknowledge_mass_change": True}, until=FINAL)
        _await_mail(mailbox)
        _begin(api, {**common, "employees": "all", "dry_run": True}, until=("previewed", *FINAL))
    except (DemoError, requests.RequestException) as error:
        return f"見本の同期を用意できませんでした({error})"
    return ""


def _begin(api: Api, body: dict[str, Any], *, until: tuple[str, ...]) -> None:
    """Start a run and wait for a state of `until`. Raises DemoError when the run does not reach one in time."""
    run = api.post("/api/v1/runs", body)
    end = time.monotonic() + RUN_SECONDS
    while run["state"] not in until:
        if time.monotonic() >= end:
            raise DemoError(f"{RUN_SECONDS} 秒たっても {run['state']} のままです")
        time.sleep(PAUSE_SECONDS)
        run = api.get(f"/api/v1/runs/{run['id']}")


def _await_mail(mailbox: Path) -> None:
    """Wait for the mail, which follows its run by a moment; without it there is less to see, and nothing is wrong."""
    end = time.monotonic() + MAIL_SECONDS
    while not any(mailbox.glob("*.eml")) and time.monotonic() < end:
        time.sleep(PAUSE_SECONDS)
