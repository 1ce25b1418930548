"""The judge finds what it is there to find: clean evidence passes, and every doctored one is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.evidence import Call, Evidence, Mail, RunSeen
from tests.chaos.judge import Broken, calls_while_closed, judge, judge_mails, leaks
from tests.chaos.table import Row, render
from tests.chaos.workload import Batch

RUN = "6c1f7a52-0000-4000-8000-000000000001"
NUMBERS = ("50000", "50001")


def crew(number: str) -> dict[str, Any]:
    return {
        "id": f"crew-{number}",
        "emp_code": number,
        "last_name": "金糸雀",
        "first_name": "一",
        "tel_number": f"070-5000-{number[1:]}",
        "hel_ins_insured_person_number": int(number),
        "bank_accounts": [{"account_number": f"86{number}"}],
    }


def employee(number: str) -> dict[str, Any]:
    phone = {"phone1": "070", "phone2": "5000", "phone3": number[1:]}
    return {
        "id": int(number),
        "num": number,
        "rules": {
            "profile_rule": {
                "2026-10": {"last_name": "旧姓", "first_name": "一", "phone1": ""},
                "2026-11": {"last_name": "金糸雀", "first_name": "一", **phone},
            },
            "health_insurance_rule": {"2026-11": {"reference_num": number}},
            "bank_account_rule": {"2026-11": {"account_number": f"86{number}"}},
        },
    }


def item(number: str, **changes: Any) -> dict[str, Any]:
    steps = [{"step": "create"}, {"step": "profile"}]
    told = {"id": int(number), "employee_number": number, "state": "succeeded", "error_code": None, "steps": steps}
    return told | changes


def batch(**changes: Any) -> Batch:
    made = Batch(frozenset(NUMBERS), "smarthr_to_freee", "manual", run_id=RUN, phones={"50000": "07050000000"})
    return replace(made, **changes)


def run(*items: dict[str, Any], **changes: Any) -> RunSeen:
    told = {"state": "succeeded", "progress": {"total": 2}} | changes
    return RunSeen(batch(), told, items or tuple(map(item, NUMBERS)))


def created(number: int) -> list[Call]:
    return [Call("freee", 100.0 + n, "POST", "/hr/api/v1/employees", 201) for n in range(number)]


def clean() -> Evidence:
    return Evidence(
        runs=(run(),),
        listed=(RUN,),
        smarthr={"crews": [crew(number) for number in NUMBERS]},
        freee={"employees": [employee(number) for number in NUMBERS]},
        calls=(*created(2), Call("freee", 103.0, "PUT", "/hr/api/v1/employees/50000/profile_rule", 200)),
        texts={"worker.log": b'{"event": "item_done", "run_id": 1}'},
        canaries=frozenset({"金糸雀", "8650000", "070-5000-0000"}),
    )


def test_clean_evidence_passes() -> None:
    assert judge(clean()) == []


def without_phone(number: str) -> dict[str, Any]:
    changed = employee(number)
    changed["rules"]["profile_rule"]["2026-11"]["phone3"] = "9999"
    return changed


DOCTORED: dict[str, tuple[str, str, Callable[[Evidence], Evidence]]] = {
    "a doubled person": (
        *("I5", "50001 is doubled at freee"),
        lambda e: replace(e, freee={"employees": [*e.freee["employees"], employee("50001") | {"id": 9}]}),
    ),
    "a doubled create": (
        *("I5", "doubled: 3 creates"),
        lambda e: replace(e, calls=created(3)),
    ),
    "somebody who never arrived": (
        *("I5", "50001 is lost: not in freee"),
        lambda e: replace(e, freee={"employees": [employee("50000")]}),
    ),
    "an edit that never arrived": (
        *("I5", "50000 is lost: phone differ"),
        lambda e: replace(e, freee={"employees": [without_phone("50000"), employee("50001")]}),
    ),
    "an edit overwritten by its own past": (
        *("I5", "equal, but not what was typed"),
        lambda e: replace(e, runs=(replace(run(), batch=batch(phones={"50000": "07099990000"})),)),
    ),
    "nobody asked after": (
        *("I1", "50001 of run"),
        lambda e: replace(e, runs=(run(item("50000"), progress={"total": 1}),)),
    ),
    "an item twice": (
        *("I1", "has 2 items"),
        lambda e: replace(e, runs=(run(*map(item, NUMBERS), item("50001"), progress={"total": 3}),)),
    ),
    "an item without an end": (
        *("I2", "still running"),
        lambda e: replace(e, runs=(run(item("50000"), item("50001", state="running")),)),
    ),
    "an item failed for nothing": (
        *("I2", "ended failed (E1)"),
        lambda e: replace(e, runs=(run(item("50000"), item("50001", state="failed", error_code="E1")),)),
    ),
    "a run without an end": (
        *("I3", "is still running"),
        lambda e: replace(e, runs=(run(state="running"),)),
    ),
    "a run that counts wrongly": (
        *("I3", "counts 3 and has 2"),
        lambda e: replace(e, runs=(run(progress={"total": 3}),)),
    ),
    "a run nobody asked for": (
        *("I3", "run other was stored"),
        lambda e: replace(e, listed=(RUN, "other")),
    ),
    "a write without history": (
        *("I6", "2 writes reached 50000"),
        lambda e: replace(
            e,
            runs=(run(item("50000", steps=[{"step": "profile"}]), item("50001")),),
            calls=(*e.calls, Call("freee", 104.0, "PUT", "/hr/api/v1/employees/50000/bank_account_rule", None)),
        ),
    ),
    "a limit exceeded": (
        *("I7", "76 calls of smarthr"),
        lambda e: replace(e, calls=[Call("smarthr", 5 + n / 100, "GET", "/v1/crews", 200) for n in range(76)]),
    ),
    "a name in a log": (
        *("I8", "worker.log holds 1"),
        lambda e: replace(e, texts={"worker.log": "… 金糸雀 一".encode()}),
    ),
    "an escaped name in the broker": (
        *("I8", "broker holds 1"),
        lambda e: replace(e, texts={"broker": rb'{"name": "\u91d1\u7cf8\u96c0"}'}),
    ),
    "an account number in the metrics": (
        *("I8", "metrics holds 1"),
        lambda e: replace(e, texts={"metrics": b'awase{account="8650000"} 1'}),
    ),
    "a program that stayed dead": (
        *("I9", "workers.cron does not run"),
        lambda e: replace(e, missing=("workers.cron",)),
    ),
}


@pytest.mark.parametrize("case", list(DOCTORED))
def test_the_judge_finds(case: str) -> None:
    invariant, about, doctor = DOCTORED[case]
    found = judge(doctor(clean()))
    assert [each for each in found if each.invariant == invariant and about in each.about], found


def test_people_of_a_refused_run_are_not_lost() -> None:
    refused = RunSeen(batch(may_fail=True), {"state": "failed", "progress": {"total": None}}, ())
    assert judge(replace(clean(), runs=(run(), refused), freee={"employees": [employee("50000")]}, calls=())) == []


def test_digits_of_a_digest_are_no_leak() -> None:
    assert leaks(replace(clean(), texts={"worker.log": b'"digest": "ab8650000cd"'})) == []


@pytest.mark.parametrize(
    ("received", "wanted", "found"),
    [
        (["<a>"], 1, 0),
        (["<a>", "<a>"], 1, 0),  # the SMTP gap
        (["<a>", "<a>", "<a>"], 1, 1),
        ([], 1, 1),
        (["<a>", "<b>"], 1, 1),
        (["<a>"], 0, 1),
        ([], 0, 0),
    ],
)
def test_mails_are_counted_by_their_message_id(received: list[str], wanted: int, found: int) -> None:
    mails = [*(Mail(RUN, message_id) for message_id in received), Mail("another run", "<z>")]
    assert len(judge_mails(batch(mails=wanted), mails)) == found


def test_calls_before_retry_after_is_over_are_found() -> None:
    seen = [Call("freee", at, "GET", "/hr", 200) for at in (1.0, 4.0)]
    assert calls_while_closed(seen, system="freee", closed=(2.0, 3.0)) == []
    assert calls_while_closed(seen, system="freee", closed=(2.0, 5.0)) != []
    assert calls_while_closed(seen, system="smarthr", closed=(2.0, 5.0)) == []


def test_the_table_tells_what_broke() -> None:
    broken = [Broken("I5", "50001 is lost: phone differ"), Broken("I5", "50001 is doubled at freee")]
    table = render(
        [
            Row("F10", "broker full", "sqlite", runs=2, mails=[1, 1], recoveries=[1.0, 3.0]),
            Row("F7", "broker wiped", "sqlite", runs=1, mails=[0, 2], copies=1, recoveries=[2.5], findings=broken),
        ]
    )
    f7, f10, *rest = table.splitlines()[2:]
    assert f7.split()[:7] == ["F7", "broker", "wiped", "sqlite", "1", "1", "1"]
    assert "0-2 (+1 same ID)" in f7 and "2.5" in f7 and f7.endswith("BROKEN I5")
    assert f10.split() == ["F10", "broker", "full", "sqlite", "2", "0", "0", "1", "2.0", "3.0"]
    assert rest == [f"× F7 (sqlite): I5 {each.about}" for each in broken]
