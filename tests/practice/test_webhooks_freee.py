"""freee's webhooks: which writes and edits fire and which do not, the body, the app's one address, the command line."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.freee.webhooks import APPLICATION_ID
from app.practice.staff.practice_company import FREEE_COMPANY_ID
from app.practice.vendor_kit.persistence import Keeper
from tests.practice.freee_house import OUTSIDE, PART_TIME, REGULAR, Caller, refused, small_company
from tests.practice.test_server import process
from tests.practice.webhook_receiver import Receiver


class App(Caller):
    """The simulator with a registered address."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self.receiver = receiver
        self.switch("webhook_time_scale", 0.001)
        self.freee.set_webhook(receiver.url, "verify-me")

    def came(self) -> list[dict[str, Any]]:
        """The bodies since the last call."""
        assert self.freee.webhooks.wait_idle(10)
        bodies = self.receiver.bodies
        with self.receiver.lock:
            self.receiver.received.clear()
        return bodies

    def told(self) -> list[tuple[str, int]]:
        return [(each["action"], each["employee"]["id"]) for each in self.came()]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return self.http.open(f"/_practice/{path}", method=method, json=body)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def app(receiver: Receiver) -> Iterator[App]:
    app = App(receiver)
    yield app
    app.freee.webhooks.stop()


def test_the_notification(app: App) -> None:
    app.freee.edit(REGULAR, {"retire_date": "2026-12-31"})
    assert app.receiver.wait_for(1)
    assert app.receiver.received[0].headers["x-freee-token"] == "verify-me"
    (body,) = app.came()
    assert str(uuid.UUID(body.pop("id")))
    assert body == {
        "application_id": APPLICATION_ID,
        "resource": "hr:employee",
        "action": "updated",
        "created_at": "2026-04-10T12:00:00+09:00",
        "employee": {"id": REGULAR, "company_id": FREEE_COMPANY_ID, "year": 2026, "month": 4},
    }


def test_writes_through_the_api_fire(app: App) -> None:
    made = app.create()["id"]
    app.put_employee(REGULAR, num="77")
    app.put_profile(REGULAR, title="部長")
    app.put_rule("bank_account_rule", REGULAR, bank_name="架空銀行")
    path = f"/api/v1/employees/{REGULAR}/dependent_rules/bulk_update"
    app.send("PUT", path, year=2026, month=4, employee_dependent_rules=[])
    app.call("DELETE", f"/api/v1/employees/{PART_TIME}", query={"company_id": FREEE_COMPANY_ID})
    assert app.status == 204
    wanted = [("created", made), *[("updated", REGULAR)] * 4, ("destroyed", PART_TIME)]
    assert sorted(app.told()) == sorted(wanted)


def test_refused_writes_reads_and_masters_do_not_fire(app: App) -> None:
    app.put_profile(REGULAR, last_name_kana="x")
    refused(app)
    app.put_profile(OUTSIDE)
    app.get(f"/api/v1/companies/{FREEE_COMPANY_ID}/employees")
    app.send("POST", "/api/v1/positions", position={"name": "係長"})
    assert app.status == 201
    assert app.came() == []


def test_api_writes_can_be_silent(app: App) -> None:
    app.switch("webhook_echo", False)
    app.create()
    app.put_employee(REGULAR, num="77")
    assert app.came() == []
    app.freee.edit(REGULAR, {"num": "78"})
    assert app.told() == [("updated", REGULAR)]


@pytest.mark.parametrize(
    ("changes", "fires"),
    [
        ({"profile_rule": {"title": "部長"}}, True),
        ({"num": "77"}, True),
        ({"retire_date": "2026-12-31"}, True),
        ({"dependent_rules": []}, True),
        ({"bank_account_rule": {"bank_name": "架空銀行"}}, False),
        ({"health_insurance_rule": {"entried": True}}, False),
        ({"welfare_pension_insurance_rule": {"entried": True}}, False),
        ({"basic_pay_rule": {"pay_amount": 1}}, False),
        ({"basic_pay_rule": {"pay_amount": 1}, "num": "77"}, True),
    ],
)
def test_edits_on_the_screen(app: App, changes: dict[str, Any], fires: bool) -> None:
    assert app.control("POST", f"employees/{REGULAR}", changes).status_code == 200
    assert app.told() == ([("updated", REGULAR)] if fires else [])


def test_people_added_and_removed_on_the_screen(app: App) -> None:
    added = app.control("POST", "employees", {"num": "0099"}).get_json()["id"]
    app.control("DELETE", f"employees/{added}")
    assert app.told() == [("created", added), ("destroyed", added)]


def test_a_bulk_import_is_silent(app: App) -> None:
    rows = [{"num": "0011", "profile_rule": {"title": "輸入"}}, {"num": "0099", "display_name": "架空 花"}]
    answer = app.control("POST", "employees/import", {"rows": rows})
    assert answer.status_code == 201
    first, second = answer.get_json()["ids"]
    assert first == REGULAR
    assert app.freee.employee(REGULAR)["profile_rule"]["title"] == "輸入"
    assert app.freee.ids_by_num("0099") == [second]
    assert app.came() == []


# ── delivery ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("retries", [0, 3])
def test_retries_are_a_switch(app: App, retries: int) -> None:
    app.switch("webhook_retries", retries)
    app.receiver.statuses = [500] * 10
    app.freee.edit(REGULAR, {"num": "1"})
    ids = {each["id"] for each in app.came()}
    assert len(ids) == 1
    assert len(app.freee.webhooks.log) == 1 + retries
    app.receiver.statuses = []
    app.freee.edit(REGULAR, {"num": "2"})
    assert len(app.came()) == 1  # nothing was switched off


def test_copies_have_one_id_and_events_each_their_own(app: App) -> None:
    app.switch("webhook_duplicates", 1)
    app.freee.edit(REGULAR, {"num": "1"})
    app.freee.edit(REGULAR, {"num": "2"})
    ids = [each["id"] for each in app.came()]
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_a_receiver_that_reads_before_it_answers(app: App) -> None:
    """Nothing is sent under the company's lock: the vendor goes on answering."""
    app.receiver.gate.clear()
    app.freee.edit(REGULAR, {"num": "1"})
    assert app.receiver.wait_for(1)
    assert app.employee(REGULAR)["num"] == "1"
    assert app.control("GET", "webhooks/idle").get_json() == {"waiting": 1, "idle": False}
    app.receiver.gate.set()
    assert len(app.came()) == 1


# ── the address ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_address_no_notification(app: App) -> None:
    assert app.control("PUT", "webhook", {"url": ""}).status_code == 200
    app.freee.edit(REGULAR, {"num": "1"})
    assert app.freee.webhooks.waiting == 0
    app.control("PUT", "webhook", {"url": app.receiver.url, "token": "other"})
    app.freee.edit(REGULAR, {"num": "2"})
    assert app.receiver.wait_for(1)
    assert app.receiver.received[0].headers["x-freee-token"] == "other"
    assert app.control("PUT", "webhook", {"token": "other"}).status_code == 404
    app.freee.injector.reset()
    app.freee.edit(REGULAR, {"num": "3"})
    assert app.freee.webhooks.waiting == 0


def test_address_and_queue_survive_a_restart(app: App, tmp_path: Path) -> None:
    app.freee.webhooks.stop()
    app.freee.edit(REGULAR, {"num": "1"})
    Keeper(tmp_path / "kept.json", {}, app.freee.memory).save()
    after = freee_of(create_freee(small_company()))
    keeper = Keeper(tmp_path / "kept.json", {}, after.memory)
    keeper.load()
    assert keeper.notice == ""
    assert after.webhooks.wait_idle(10)
    after.edit(REGULAR, {"num": "2"})
    assert after.webhooks.wait_idle(10)
    assert len(app.receiver.bodies) == 2
    after.webhooks.stop()


def test_an_address_given_at_the_start_is_newer_than_the_kept_one(app: App, tmp_path: Path) -> None:
    new = Receiver()
    Keeper(tmp_path / "kept.json", {}, app.freee.memory).save()
    after = freee_of(create_freee(small_company(), webhook_url=new.url, webhook_token="t2"))
    Keeper(tmp_path / "kept.json", {}, after.memory).load()
    after.edit(REGULAR, {"num": "2"})
    assert after.webhooks.wait_idle(10)
    assert [each.headers["x-freee-token"] for each in new.received] == ["t2"]
    after.webhooks.stop()
    new.stop()


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.processes
def test_a_process_with_an_address(receiver: Receiver, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    address = ("--webhook-url", receiver.url, "--webhook-token", "from-the-line")
    with process("freee", "--log", str(log), *address) as (told, running):
        made = requests.post(f"{told['url']}/_practice/employees", json={"num": "1"}, timeout=10)
        until(lambda: requests.get(f"{told['url']}/_practice/webhooks/idle", timeout=10).json()["idle"])
        running.terminate()
        _, noise = running.communicate(timeout=20)
    assert (running.returncode, noise) == (0, "")
    assert receiver.received[0].headers["x-freee-token"] == "from-the-line"
    lines = [json.loads(each) for each in log.read_text(encoding="utf-8").splitlines()]
    people = [(each["event"], each["people"], each["status"]) for each in lines if each.get("kind") == "webhook"]
    assert people == [("employee_created", [str(made.json()["id"])], 204)]
