"""What the storm prints and when it counts as passed; the moment of a write in a vendor's log; the forms it sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.adapters.freee.webhook import parse_event as of_freee
from app.adapters.smarthr.webhook import EVENTS
from app.adapters.smarthr.webhook import parse_event as of_smarthr
from app.practice.staff import practice_company
from app.practice.staff.tenants import Tenant, tenants
from tests.chaos.house import House
from tests.chaos.parts import Vendor
from tests.storm.deliveries import load_volley
from tests.storm.latency import Tail, figures
from tests.storm.people import invent
from tests.storm.run import passed, table

ONE_WAY = {"edits": 15, "median": 10.4, "min": 10.2, "max": 11.0}
TOLD: dict[str, Any] = {
    "database": "sqlite",
    "people": 500,
    "companies": 1,
    "quiet_window": "2",
    "webhooks": 10_000,
    "deliveries": 20_019,
    "answers": {
        "statuses": {"202": 20_019, "503": 3},
        "per_second": 640.0,
        "seconds": 31.2,
        "p50_ms": 40.1,
        "p99_ms": 137.0,
        "max_ms": 242.5,
    },
    "load": [0.4, 2.2],
    "killed": 9,
    "quiet_seconds": 61.0,
    "runs": {"api": 1, "webhook": 10},
    "items": {"succeeded": 650},
    "mails": 5,
    "verdict": {"lost": [], "doubled": [], "unequal": [], "open": []},
    "canary": {"canaries": 3519, "searched": {"logs": "10 / 9.2 MB"}, "leaks": {}, "self_test_missed": []},
    "latency": {"default": {"smarthr_to_freee": ONE_WAY, "freee_to_smarthr": ONE_WAY, "load": [0.3, 0.4]}},
}


def test_the_table_tells_every_figure() -> None:
    assert passed(TOLD)
    shown = table(TOLD)
    for figure in ("20019 deliveries", "202: 20019 503: 3", "40.1, 137.0, 242.5", "0.4, 2.2", "logs", "median 10.4 s"):
        assert figure in shown
    assert "×" not in shown


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda told: told["verdict"]["lost"].append("delivery 7 was never accepted"), "× lost: delivery 7"),
        (lambda told: told["verdict"]["doubled"].append("60001 is in freee 2 times"), "× doubled: 60001"),
        (lambda told: told["verdict"]["unequal"].append("60001: phone differ"), "× unequal: 60001"),
        (lambda told: told["verdict"]["open"].append("run a is running"), "× open: run a"),
        (lambda told: told["canary"]["leaks"].update({"logs: web.log": 2}), "× canary in logs: web.log (2)"),
        (
            lambda told: told["canary"]["self_test_missed"].append("mails: word"),
            "× planted and not found in mails: word",
        ),
    ],
)
def test_whatever_is_wrong_is_told_and_fails(change: Callable[[dict[str, Any]], object], line: str) -> None:
    told = deepcopy(TOLD)
    change(told)
    assert not passed(told)
    assert line in table(told)


def test_the_first_write_about_somebody_after_the_edit_counts(tmp_path: Path) -> None:
    def row(epoch: float, method: str, path: str) -> str:
        return json.dumps({"epoch": epoch, "method": method, "path": path}) + "\n"

    log = tmp_path / "freee.jsonl"
    log.write_text(row(1, "PUT", "/hr/api/v1/employees/7/profile_rule"))
    tail = Tail(Vendor(1, log))
    assert tail.wrote("/employees/7/") is None, "it was there before"
    with log.open("a") as out:
        out.write(row(2, "GET", "/hr/api/v1/employees/7") + json.dumps({"kind": "webhook"}) + "\n")
        out.write(row(3, "PUT", "/hr/api/v1/employees/77") + row(5, "PUT", "/hr/api/v1/employees/7"))
        out.write(row(4, "PUT", "/hr/api/v1/employees/7/profile_rule") + '{"half": ')
    assert tail.wrote("/employees/7/") == 4


def _company(connection: str, tenant: Tenant, state: Mapping[str, Any]) -> House:
    smarthr = SimpleNamespace(state=lambda: state)
    return cast("House", SimpleNamespace(connection=connection, tenant=tenant, smarthr=smarthr))


def test_figures() -> None:
    assert figures([3.0, 1.004, 2.0]) == {"edits": 3, "median": 2.0, "min": 1.0, "max": 3.0}


def test_the_volley_is_of_both_vendors_and_reaches_everybody() -> None:
    crowd = invent(20)
    for index, person in enumerate(crowd):
        person.crew_id, person.employee_id = f"crew-{index}", 0 if person.is_new else 5000 + index
    state: Mapping[str, Any] = {
        "crews": [{"id": each.crew_id, "last_name": "金糸雀"} for each in crowd],
        "webhooks": [{"secret_token": "told-at-the-registration"}],
    }
    volley = load_volley([(_company("renshu", practice_company.FIRST, state), crowd)], 400)
    assert set(volley.order) == set(range(400))
    assert {volley.order.count(index) for index in range(400)} == {1, 2, 3}
    assert list(volley.order) != sorted(volley.order)
    theirs = [of_freee(hook.body.encode()) for hook in volley.hooks if hook.path == "/webhooks/freee"]
    ours = [of_smarthr(hook.body.encode()) for hook in volley.hooks if hook.path == "/webhooks/smarthr/renshu"]
    assert len(theirs) + len(ours) == 400
    assert len({event.delivery_id for event in theirs}) == len(theirs)
    assert {event.company_id for event in theirs} == {practice_company.FREEE_COMPANY_ID}
    assert len({event.triggered_at for event in ours}) == len(ours)
    assert all(event.known for event in (*theirs, *ours))
    assert {event.name for event in ours} == {"crew_created", "crew_updated", "crew_imported", "dependent_updated"}
    assert {event.name for event in ours} <= set(EVENTS)
    assert {person for event in ours for person in event.people} == {each.crew_id for each in crowd}
    assert {event.people[0] for event in theirs} == {str(each.employee_id) for each in crowd if not each.is_new}
    assert "told-at-the-registration" not in repr(volley)


def test_companies_share_a_volley_and_none_hears_of_anothers_people() -> None:
    crowds = []
    for number, tenant in enumerate(tenants(3)):
        crowd = invent(10, after=number * 10)
        for index, person in enumerate(crowd):
            person.crew_id, person.employee_id = (
                f"crew-{number}-{index}",
                0 if person.is_new else 1000 + 100 * number + index,
            )
        state: Mapping[str, Any] = {
            "crews": [{"id": each.crew_id} for each in crowd],
            "webhooks": [{"secret_token": f"secret-{number}"}],
        }
        crowds.append((_company(f"company-{number}", tenant, state), crowd))
    volley = load_volley(crowds, 300)
    assert len(volley.hooks) == 300
    assert len({person.number for _, crowd in crowds for person in crowd}) == 30
    for number, tenant in enumerate(tenants(3)):
        ours = [hook for hook in volley.hooks if hook.path == f"/webhooks/smarthr/company-{number}"]
        assert {hook.secret for hook in ours} == {f"secret-{number}"}
        assert {who for hook in ours for who in of_smarthr(hook.body.encode()).people} <= {
            person.crew_id for person in crowds[number][1]
        }
        events = [of_freee(hook.body.encode()) for hook in volley.hooks if hook.path == "/webhooks/freee"]
        theirs = {each.people[0] for each in events if each.company_id == tenant.company_id}
        assert theirs == {str(person.employee_id) for person in crowds[number][1] if not person.is_new}
