"""The ticks of a preview that let a value be overwritten which could not be carried: on its page and by the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.domain.planning.plan import PlanKind
from app.domain.runs.run_state import ItemState
from app.domain.snapshot import Unconvertible
from app.storage.runs.rows import NewChange, NewNote
from tests.web.previewed import Somebody, audited, items_of, preview_of
from tests.web.visitor import Visitor
from tests.web.world import World

Visit = Callable[..., Visitor]

PHONE = NewChange(
    "phone",
    before=Unconvertible("unsplittable_phone"),
    after="080-1111-2222",
    raw={"profile_rule.phone1": "03", "profile_rule.phone2": "1234", "profile_rule.phone3": "内線5"},
    held=True,
)
ACCOUNT = tuple(
    NewChange(key, before=Unconvertible("digit_count"), after="1", raw={path: "0-A"}, held=True)
    for key, path in (
        ("bank_code", "bank_account_rule.bank_code"),
        ("bank_account_number", "bank_account_rule.account_number"),
    )
)
HELD = Somebody(
    ItemState.WAITING,
    PlanKind.NOTHING,
    changes=(PHONE, *ACCOUNT),
    notes=(NewNote("target_not_carried", "review", "phone"),),
)


def ticked(world: World, run_id: str) -> list[str]:
    (item,) = items_of(world, run_id)
    return item.ticked or []


def test_the_page_shows_the_present_value_and_a_tick_that_is_off(world: World, visit: Visit) -> None:
    run_id = preview_of(world, HELD)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/confirm")
    assert "03 1234 内線5" in member.words and "080-1111-2222" in member.words
    assert "書き換えるかどうかを選ぶ値" in member.words
    assert 'value="phone" checked' not in member.text
    member.send("/overwrite", key=["phone"])
    assert ticked(world, run_id) == ["phone"]
    assert 'value="phone" checked' in member.text
    assert ("overwrite_ticked", f"run:{run_id}") in audited(world)
    member.send("/overwrite", key=[])
    assert ticked(world, run_id) == []


def test_masked_values_are_shown_by_role_and_an_account_is_ticked_whole(world: World, visit: Visit) -> None:
    run_id = preview_of(world, HELD)
    viewer, member = visit(Role.VIEWER), visit(Role.MEMBER)
    viewer.open(f"/runs/{run_id}/confirm")
    assert "0-A" not in viewer.text and "••••" in viewer.words and 'value="bank_code" disabled' in viewer.text
    member.open(f"/runs/{run_id}/confirm")
    assert "0-A" in member.words and "口座情報をまとめて書き換える" in member.words
    member.send("/overwrite", key=["bank_code"])
    assert ticked(world, run_id) == ["bank_account_number", "bank_code"]
    (item,) = items_of(world, run_id)
    assert item.effects == "bank"  # it counts for a mass change from now on


def test_the_api_shows_what_is_held_and_overwrites_what_is_named(
    world: World, client: Any, bearer: Callable[..., dict[str, str]]
) -> None:
    run_id = preview_of(world, HELD)
    (item,) = items_of(world, run_id)
    key = bearer("runs:read", "runs:write", "personal:read")
    listed = client.get(f"/api/v1/runs/{run_id}/items", headers=key).json["items"][0]["changes"]
    assert tuple(listed[0][name] for name in ("key", "state", "ticked")) == ("phone", "held", False)
    assert listed[0]["before"] == "03 1234 内線5"
    wrong = {"overwrite": [{"employee_number": item.employee_number, "items": ["title"]}]}
    refused = client.post(f"/api/v1/runs/{run_id}/approve", json=wrong, headers=key)
    assert (refused.status_code, refused.json["code"]) == (422, "not_held")
    right = {"overwrite": [{"employee_number": item.employee_number, "items": ["phone"]}]}
    assert client.post(f"/api/v1/runs/{run_id}/approve", json=right, headers=key).status_code == 202
    assert ticked(world, run_id) == ["phone"]


@pytest.mark.parametrize(
    "overwrite", [{}, [{}], [{"employee_number": "1", "items": []}], [{"employee_number": 1}], "all"]
)
def test_the_api_refuses_another_form(
    world: World, client: Any, bearer: Callable[..., dict[str, str]], overwrite: Any
) -> None:
    run_id = preview_of(world, HELD)
    answer = client.post(f"/api/v1/runs/{run_id}/approve", json={"overwrite": overwrite}, headers=bearer("runs:write"))
    assert answer.status_code == 422
    assert "overwrite" in answer.json["fields"]
