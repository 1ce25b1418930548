"""SmartHR's webhooks: what fires, for whom, with what in it; disabling; the night on which somebody has left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from app.practice.server import start_in_thread
from app.practice.vendor_kit.persistence import Keeper
from tests.practice.freee_house import TurnableClock
from tests.practice.smarthr_caller import BASE, Caller, made
from tests.practice.webhook_receiver import Receiver

EVERY_EVENT = {
    f"{what}_{event}": True for what in ("crew", "dependent") for event in ("created", "updated", "deleted", "imported")
}
NEW = {"last_name": "架空", "first_name": "花", "emp_code": "9001"}


class Tenant:
    """A tenant with two people and one receiver of everything."""

    def __init__(self, receiver: Receiver, log_file: Path | None = None) -> None:
        self.receiver = receiver
        self.clock = TurnableClock()  # 2026-04-10 12:00 in Japan
        self.caller = Caller(made("1"), made("2"), clock=self.clock, log_file=log_file)
        self.caller.injector.set_switch("webhook_time_scale", 0.001)
        self.smarthr = self.caller.smarthr
        self.hook = self.register(receiver, **EVERY_EVENT, secret_token="合言葉-s3")

    def register(self, receiver: Receiver, **values: Any) -> str:
        response = self.send("POST", "/v1/webhooks", {"url": receiver.url, **values})
        assert response.status_code == 201
        return str(response.get_json()["id"])

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        headers = self.caller.headers
        return self.caller.client.open(f"{BASE}{path}", method=method, json=body, query_string=query, headers=headers)

    def came(self) -> list[dict[str, Any]]:
        """The bodies since the last call."""
        assert self.smarthr.webhooks.wait_idle(10)
        bodies = self.receiver.bodies
        with self.receiver.lock:
            self.receiver.received.clear()
        return bodies

    def events(self) -> list[tuple[str, str]]:
        return [(each["event"], each["crew"]["id"]) for each in self.came()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def tenant(receiver: Receiver) -> Iterator[Tenant]:
    tenant = Tenant(receiver)
    yield tenant
    tenant.smarthr.webhooks.stop()


# ── what fires ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_writes_through_the_api_fire(tenant: Tenant) -> None:
    made_id = tenant.send("POST", "/v1/crews", NEW).get_json()["id"]
    tenant.send("PATCH", f"/v1/crews/{made_id}", {"last_name": "改姓"})
    tenant.send("PUT", f"/v1/crews/{made_id}", {"department": "総務部"})
    tenant.send("DELETE", f"/v1/crews/{made_id}/departments")
    tenant.send("DELETE", f"/v1/crews/{made_id}")
    happened = ["crew_created", "crew_updated", "crew_updated", "crew_updated", "crew_deleted"]
    assert tenant.events() == [(event, made_id) for event in happened]


def test_a_person_on_the_screen_fires(tenant: Tenant) -> None:
    added = tenant.smarthr.add(NEW)
    tenant.smarthr.edit("9001", {"last_name": "改姓"})
    tenant.smarthr.remove("9001")
    assert tenant.events() == [("crew_created", added), ("crew_updated", added), ("crew_deleted", added)]
    assert tenant.caller.client.put("/_practice/crews/1", json={"position": "部長"}).status_code == 200
    assert tenant.events() == [("crew_updated", tenant.caller.first_id)]


def test_refused_writes_and_reads_do_not_fire(tenant: Tenant) -> None:
    tenant.send("PATCH", f"/v1/crews/{tenant.caller.first_id}", {"birth_at": "no date"})
    tenant.send("PATCH", "/v1/crews/unknown", {"last_name": "改姓"})
    tenant.send("DELETE", "/v1/crews/unknown")
    tenant.send("GET", "/v1/crews")
    assert tenant.came() == []


def test_what_suppresses(tenant: Tenant) -> None:
    path = f"/v1/crews/{tenant.caller.first_id}"
    tenant.send("PATCH", path, {"last_name": "一"}, skip_sending_webhook="true")
    tenant.caller.injector.set_switch("webhook_echo", False)
    tenant.send("PATCH", path, {"last_name": "二"})
    assert tenant.came() == []
    tenant.smarthr.edit("1", {"last_name": "三"})
    assert len(tenant.came()) == 1


def test_a_change_that_changes_nothing(tenant: Tenant) -> None:
    path, same = f"/v1/crews/{tenant.caller.first_id}", {"last_name": "佐藤"}
    tenant.send("PATCH", path, same)
    tenant.smarthr.edit("1", same)
    tenant.caller.injector.set_switch("untouched_patch", "touch")
    tenant.send("PATCH", path, same)
    assert tenant.came() == []
    tenant.caller.injector.set_switch("webhook_on_untouched", True)
    tenant.send("PATCH", path, same)
    tenant.smarthr.edit("1", same)
    assert len(tenant.came()) == 2


def test_an_import_is_one_event(tenant: Tenant) -> None:
    first = tenant.caller.first_id
    sent = {"created": [NEW], "updated": {"1": {"last_name": "改姓"}}}
    answer = tenant.caller.client.post("/_practice/crews/import", json=sent)
    assert answer.status_code == 201
    (body,) = tenant.came()
    assert (body["event"], body["sender"]) == ("crew_imported", None)
    result = body["crew_import_result"]
    assert [each["id"] for each in result["created_crews"]] == answer.get_json()["created"]
    assert [(each["id"], each["last_name"]) for each in result["updated_crews"]] == [(first, "改姓")]
    tenant.caller.injector.set_switch("webhook_import_singles", True)
    tenant.smarthr.import_crews(updated={"1": {"last_name": "又"}})
    assert sorted(each["event"] for each in tenant.came()) == ["crew_imported", "crew_updated"]


def test_an_import_with_somebody_unknown_does_nothing(tenant: Tenant) -> None:
    before = len(tenant.smarthr.crews)
    with pytest.raises(KeyError):
        tenant.smarthr.import_crews([NEW], {"nobody": {}})
    assert tenant.caller.client.post("/_practice/crews/import", json={"files": 1}).status_code == 400
    assert len(tenant.smarthr.crews) == before
    assert tenant.came() == []


# ── what is in it ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_body(tenant: Tenant) -> None:
    tenant.smarthr.edit("1", {"last_name": "改姓"})
    assert tenant.receiver.wait_for(1)
    headers = tenant.receiver.received[0].headers
    assert headers["x-smarthr-token"].encode("latin-1").decode() == "合言葉-s3"
    (body,) = tenant.came()
    assert body == {
        "event": "crew_updated",
        "triggered_at": "2026-04-10T03:00:00.000Z",
        "sender": None,
        "crew": tenant.smarthr.crew("1"),
    }
    assert body["crew"]["last_name"] == "改姓"


def test_only_ids_and_no_secret(tenant: Tenant) -> None:
    tenant.send("PATCH", f"/v1/webhooks/{tenant.hook}", {"expose_only_id": True, "secret_token": None})
    tenant.smarthr.edit("1", {"last_name": "改姓"})
    tenant.smarthr.import_crews([], {"1": {"last_name": "又"}})
    tenant.smarthr.fire("dependent_updated", "1")
    assert tenant.receiver.wait_for(3)
    assert all("x-smarthr-token" not in each.headers for each in tenant.receiver.received)
    one, many, dependent = tenant.came()
    assert one["crew"] == {"id": tenant.caller.first_id}
    assert many["crew_import_result"] == {"created_crews": [], "updated_crews": [{"id": tenant.caller.first_id}]}
    assert list(dependent["dependent"]) == ["id"]


@pytest.mark.parametrize("event", [*EVERY_EVENT, "workflow_approved", "crew_enchanted", "zodiac"])
def test_any_event_by_hand(tenant: Tenant, event: str) -> None:
    body = {"event": event, "who": "1", "sender": "2"}
    assert tenant.caller.client.post("/_practice/events", json=body).status_code == 204
    (told,) = tenant.came()
    assert (told["event"], told["sender"]["emp_code"]) == (event, "2")
    (key,) = set(told) - {"event", "triggered_at", "sender"}
    assert tenant.caller.first_id in json.dumps(told[key])


def test_dependents_and_people_who_do_not_exist_by_hand(tenant: Tenant) -> None:
    tenant.smarthr.fire("dependent_updated", "1")
    tenant.smarthr.fire("crew_deleted", "never-there")
    came = {each["event"]: each for each in tenant.came()}
    assert came["dependent_updated"]["dependent"]["crew_id"] == tenant.caller.first_id
    assert came["crew_deleted"]["crew"] == {"id": "never-there"}
    wrong = {"event": "crew_updated", "who": "1", "sender": "never-there"}
    assert tenant.caller.client.post("/_practice/events", json=wrong).status_code == 404


# ── for whom ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_registration_gets_what_it_asked_for(tenant: Tenant) -> None:
    other = Receiver()
    tenant.register(other, crew_deleted=True)
    tenant.smarthr.edit("1", {"last_name": "改姓"})
    tenant.smarthr.remove("2")
    assert len(tenant.came()) == 2
    assert other.events == ["crew_deleted"]
    other.stop()


def test_disabled_and_deleted_registrations_get_nothing(tenant: Tenant) -> None:
    path = f"/v1/webhooks/{tenant.hook}"
    tenant.send("PATCH", path, {"disabled_at": "2026-04-01T00:00:00.000Z"})
    tenant.smarthr.edit("1", {"last_name": "一"})
    assert tenant.came() == []
    assert tenant.smarthr.webhooks.log == []
    tenant.send("PATCH", path, {"disabled_at": None})
    tenant.smarthr.edit("1", {"last_name": "二"})
    assert len(tenant.came()) == 1
    tenant.send("DELETE", path)
    tenant.smarthr.edit("1", {"last_name": "三"})
    assert tenant.came() == []


def test_after_the_last_retry_the_registration_is_disabled(tenant: Tenant) -> None:
    """What waited for it is not replayed; a PATCH switches it on for later events."""
    tenant.caller.injector.set_switch("webhook_retries", "sandbox")
    tenant.receiver.statuses = [500] * 100
    tenant.smarthr.edit("1", {"last_name": "一"})
    assert len(tenant.came()) == 6
    hook = tenant.send("GET", f"/v1/webhooks/{tenant.hook}").get_json()
    assert hook["disabled_at"] == "2026-04-10T03:00:00.000Z"
    tenant.receiver.statuses = []
    tenant.smarthr.edit("1", {"last_name": "二"})
    assert tenant.came() == []
    tenant.send("PATCH", f"/v1/webhooks/{tenant.hook}", {"disabled_at": None})
    assert tenant.came() == []
    tenant.smarthr.edit("1", {"last_name": "三"})
    assert [each["crew"]["last_name"] for each in tenant.came()] == ["三"]


def test_nothing_is_queued_without_a_registration() -> None:
    caller = Caller(made("1"))
    caller.smarthr.edit("1", {"last_name": "改姓"})
    caller.smarthr.fire("crew_updated", "1")
    assert (caller.smarthr.webhooks.waiting, caller.smarthr.webhooks.log) == (0, [])


# ── the log, restarts ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_over_http_and_in_the_file(receiver: Receiver, tmp_path: Path) -> None:
    tenant = Tenant(receiver, tmp_path / "log.jsonl")
    server = start_in_thread(tenant.caller.app)
    receiver.statuses = [503]
    tenant.smarthr.edit("1", {"last_name": "改姓"})
    assert len(tenant.came()) == 2
    assert requests.get(f"{server.url}/_practice/webhooks/idle", timeout=10).json() == {"waiting": 0, "idle": True}
    told = requests.get(f"{server.url}/_practice/webhooks", timeout=10).json()
    wanted = [(1, "crew_updated", [tenant.caller.first_id], n, status, n == 2) for n, status in ((1, 503), (2, 204))]
    names = ("seq", "event", "people", "attempt", "status", "done")
    assert [tuple(each[name] for name in names) for each in told["deliveries"]] == wanted
    more = requests.get(f"{server.url}/_practice/webhooks", params={"after": told["next"] - 1}, timeout=10).json()
    assert [each["attempt"] for each in more["deliveries"]] == [2]
    lines = [json.loads(each) for each in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [each["status"] for each in lines if each.get("kind") == "webhook"] == [503, 204]
    assert "改姓" not in (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    server.stop()


def test_a_stopped_server_sends_nothing_and_the_next_one_goes_on(tenant: Tenant) -> None:
    server = start_in_thread(tenant.caller.app)
    server.stop()
    tenant.smarthr.edit("1", {"last_name": "改姓"})
    assert not tenant.smarthr.webhooks.wait_idle(0.2)
    assert tenant.receiver.bodies == []
    server = start_in_thread(tenant.caller.app)
    assert len(tenant.came()) == 1
    server.stop()


def test_registrations_and_the_queue_survive_a_restart(tenant: Tenant, tmp_path: Path) -> None:
    company = {"vendor": "smarthr"}
    tenant.smarthr.webhooks.stop()
    tenant.smarthr.edit("1", {"last_name": "改姓"})
    Keeper(tmp_path / "kept.json", company, tenant.smarthr.memory).save()
    after = Caller(made("1"), clock=tenant.clock)
    keeper = Keeper(tmp_path / "kept.json", company, after.smarthr.memory)
    keeper.load()
    assert keeper.notice == ""
    assert after.smarthr.webhooks.wait_idle(10)
    assert [each["crew"]["last_name"] for each in tenant.receiver.bodies] == ["改姓"]
    after.smarthr.edit("1", {"last_name": "又"})
    assert after.smarthr.webhooks.wait_idle(10)
    assert tenant.receiver.bodies[-1]["crew"]["last_name"] == "又"
    after.injector.reset()
    after.smarthr.edit("1", {"last_name": "忘"})
    assert after.smarthr.webhooks.waiting == 0
    after.smarthr.webhooks.stop()


# ── leaving ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def at(tenant: Tenant, text: str) -> None:
    """Turn the clock to this moment in Japan."""
    tenant.clock.moment = datetime.fromisoformat(f"{text}+09:00").astimezone(UTC).timestamp()


def status(tenant: Tenant) -> str:
    crew = tenant.send("GET", f"/v1/crews/{tenant.caller.first_id}").get_json()
    return str(crew["emp_status"])


def test_somebody_leaves_at_one_at_night(tenant: Tenant) -> None:
    tenant.send("PATCH", f"/v1/crews/{tenant.caller.first_id}", {"resigned_at": "2026-04-30"})
    assert len(tenant.came()) == 1
    at(tenant, "2026-05-01T00:59:59")
    assert status(tenant) == "employed"
    assert tenant.came() == []
    at(tenant, "2026-05-01T01:00:00")
    assert status(tenant) == "retired"
    (body,) = tenant.came()
    assert (body["event"], body["crew"]["emp_status"]) == ("crew_updated", "retired")
    assert body["crew"]["updated_at"] == "2026-04-30T16:00:00.000Z"
    tenant.smarthr.edit("1", {"emp_status": "employed"})
    at(tenant, "2026-05-02T02:00:00")
    assert status(tenant) == "employed"


def test_a_past_date_does_not_make_anybody_leave(tenant: Tenant) -> None:
    tenant.smarthr.edit("1", {"resigned_at": "2026-04-09"})
    at(tenant, "2026-06-01T12:00:00")
    assert status(tenant) == "employed"


@pytest.mark.parametrize("later", [{"resigned_at": None}, {"resigned_at": "2026-09-30"}, {"emp_status": "retired"}])
def test_what_calls_the_night_off(tenant: Tenant, later: dict[str, Any]) -> None:
    tenant.smarthr.edit("1", {"resigned_at": "2026-04-30"})
    tenant.smarthr.edit("1", later)
    assert len(tenant.came()) == 2
    at(tenant, "2026-05-01T02:00:00")
    assert status(tenant) == later.get("emp_status", "employed")
    assert tenant.came() == []


def test_the_night_as_a_switch_and_across_a_restart(tenant: Tenant, tmp_path: Path) -> None:
    tenant.smarthr.edit("1", {"resigned_at": "2026-04-30"})
    tenant.caller.injector.set_switch("flips_on_leaving", False)
    at(tenant, "2026-05-01T02:00:00")
    assert status(tenant) == "employed"
    Keeper(tmp_path / "kept.json", {}, tenant.smarthr.memory).save()
    after = Caller(made("1"), clock=tenant.clock)
    assert after.smarthr.crew("1")["emp_status"] == "employed"
    Keeper(tmp_path / "kept.json", {}, after.smarthr.memory).load()
    assert after.smarthr.crew("1")["emp_status"] == "retired"
    tenant.caller.injector.set_switch("flips_on_leaving", True)
    assert tenant.caller.client.post("/_practice/new_day").status_code == 204
    assert tenant.smarthr.crew("1")["emp_status"] == "retired"
    assert "leaves_by_itself" not in tenant.smarthr.crew("1")
    after.smarthr.webhooks.stop()
