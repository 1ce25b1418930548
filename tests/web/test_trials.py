"""Trying settings before they are saved: how many people they would change, who, one trial at a time, and that nothing
is written, nobody is mailed, and no other page takes a trial for a preview."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.errors import Refused
from app.domain.runs.run_state import RunState
from app.storage.runs.rows import RunRow
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.connections.trials import see_trial
from app.use_cases.intake.approve_retry_cancel import approve
from app.use_cases.queries.attention import see_attention
from app.use_cases.queries.dashboard import see_dashboard
from tests.house import KEY, House
from tests.web.wizard_house import Wizarding, wizard_house

pytestmark = [pytest.mark.reach("test"), pytest.mark.database("sqlite")]

PAGE = f"/connections/{KEY}"
TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def wizarding(tmp_path: Path) -> Iterator[Wizarding]:
    """Both sides are equal, except for what the practice company holds in reserve."""
    with wizard_house(tmp_path, connected=True) as made:
        made.house.run(TO_FREEE)
        yield made


def without(wizarding: Wizarding, *keys: str) -> list[str]:
    """The boxes of all items but these."""
    wizarding.admin.open(PAGE)
    ticked = [value for name, value in wizarding.admin.form(f"{PAGE}/items").fields if name == "exchanged"]
    return [each for each in ticked if each not in keys]


def try_items(wizarding: Wizarding, direction: Direction = TO_FREEE, **changes: Any) -> str:
    """Press the button. Returns the address of the people page's trial."""
    wizarding.admin.open(PAGE)
    wizarding.admin.send(f"{PAGE}/items", press=("answer", "try"), try_direction=direction.value, **changes)
    return wizarding.admin.words


def trial_id(wizarding: Wizarding) -> str:
    assert wizarding.admin.page is not None
    found = wizarding.admin.page.request.args.get("trial")
    assert found
    return str(found)


def run_of(house: House, public_id: str) -> RunRow:
    with house.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(public_id)
    assert run is not None
    return run


def changed_gender(house: House) -> str:
    """Somebody who is linked has another gender in SmartHR. Returns the number."""
    with house.ctx.unit_of_work() as uow:
        linked = {link.smarthr_id for link in uow.links.for_connection(house.connection.id)}
    crew = next(each for each in house.smarthr.crews if each["id"] in linked and not each["resigned_at"])
    house.smarthr.edit(crew["id"], {"gender": "female" if crew["gender"] == "male" else "male"})
    return str(crew["emp_code"])


def save_without(wizarding: Wizarding, key: str) -> None:
    exchanged = without(wizarding, key)
    wizarding.admin.send(f"{PAGE}/items", exchanged=exchanged)
    assert "保存しました" in wizarding.admin.words


# ── what it tells ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_item_that_is_taken_in_again_changes_exactly_those_who_differ_in_it(wizarding: Wizarding) -> None:
    house = wizarding.house
    save_without(wizarding, "gender")
    number = changed_gender(house)
    writes = house.writes()
    told = try_items(wizarding, exchanged=[*without(wizarding), "gender"])
    assert "両方の従業員情報を読んでいます" in told and house.connection.excluded == {"gender"}
    run_id = trial_id(wizarding)
    house.work()
    shown = wizarding.admin.open(f"{PAGE}?trial={run_id}")
    assert "次の同期で1人の値が変わります" in wizarding.admin.words
    assert "まだ保存していません" in wizarding.admin.words
    assert 'value="gender" checked' in shown, "the form shows what was tried"
    people = wizarding.admin.open(f"{PAGE}/trials/{run_id}/people")
    assert people.count('<section class="panel"') == 1 and number in wizarding.admin.words
    assert house.writes() == writes and house.connection.excluded == {"gender"}


@pytest.mark.reach("all")
def test_an_item_that_is_taken_out_tells_for_how_many_nothing_is_sent_any_more(wizarding: Wizarding) -> None:
    changed_gender(wizarding.house)
    try_items(wizarding, exchanged=without(wizarding, "gender"))
    run_id = trial_id(wizarding)
    wizarding.house.work()
    wizarding.admin.open(f"{PAGE}?trial={run_id}")
    assert "値が変わる従業員はいません" in wizarding.admin.words
    assert "1人には、いまの設定で変わるはずの値を送らなくなります" in wizarding.admin.words


def test_a_rule_for_blanks_tells_whom_it_would_empty(wizarding: Wizarding) -> None:
    house = wizarding.house
    with house.ctx.unit_of_work() as uow:
        linked = {link.smarthr_id for link in uow.links.for_connection(house.connection.id)}
    wizarding.admin.open(PAGE)
    wizarding.admin.send(f"{PAGE}/items", **{"blank-phone": "keep"})
    try_items(wizarding, **{"blank-phone": "erase"})
    house.work()
    before = see_trial(house.ctx, KEY, trial_id(wizarding)).people
    emptied = [c for c in house.smarthr.crews if c["id"] in linked and c.get("tel_number") and not c["resigned_at"]][:2]
    for crew in emptied:
        house.smarthr.edit(crew["id"], {"tel_number": None})
    try_items(wizarding, **{"blank-phone": "erase"})
    house.work()
    found = see_trial(house.ctx, KEY, trial_id(wizarding))
    assert found.people == before + len(emptied) and dict(found.by_item) == {"phone": found.people}


@pytest.mark.reach("all")
def test_a_rule_for_conflicts_plans_as_an_automatic_run_does(wizarding: Wizarding) -> None:
    house, admin = wizarding.house, wizarding.admin
    admin.open(PAGE)
    admin.send(f"{PAGE}/automatic", directions="both", policy="hold")
    house.work()
    number = changed_gender(house)
    crew = next(each for each in house.smarthr.crews if each["emp_code"] == number)
    with house.ctx.unit_of_work() as uow:
        (freee_id,) = [
            link.freee_id for link in uow.links.for_connection(house.connection.id) if link.smarthr_id == crew["id"]
        ]
    assert freee_id
    admin.open(PAGE)
    sent = {"try_direction": TO_FREEE.value, "policy": "smarthr_wins", "quiet_seconds": "77"}
    admin.send(f"{PAGE}/automatic", press=("answer", "try"), **sent)
    run_id = trial_id(wizarding)
    assert 'value="77.0"' in admin.text, "what else was typed is not lost"
    house.work()
    found = see_trial(house.ctx, KEY, run_id)
    assert not found.going and found.error_code is None and found.section == "automatic"
    assert house.connection.conflict_policy.value == "hold" and house.connection.quiet_seconds is None


# ── one at a time, and no preview ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("all")
def test_another_trial_takes_the_place_of_the_first_one_in_either_direction(wizarding: Wizarding) -> None:
    try_items(wizarding)
    first = trial_id(wizarding)
    try_items(wizarding)
    assert trial_id(wizarding) == first, "the same wish is one trial"
    try_items(wizarding, exchanged=without(wizarding, "gender"))
    second = trial_id(wizarding)
    try_items(wizarding, Direction.FREEE_TO_SMARTHR)
    wizarding.house.work()
    assert [run_of(wizarding.house, each).state for each in (first, second)] == [RunState.CANCELLED] * 2
    wizarding.admin.open(f"{PAGE}?trial={first}")
    assert "この結果は終わりました" in wizarding.admin.words


def test_saving_does_not_wait_and_ends_the_trial(wizarding: Wizarding) -> None:
    try_items(wizarding, exchanged=without(wizarding, "gender"))
    run_id = trial_id(wizarding)
    wizarding.admin.send(f"{PAGE}/items")
    assert "保存しました" in wizarding.admin.words and wizarding.house.connection.excluded == {"gender"}
    wizarding.house.work()
    assert run_of(wizarding.house, run_id).state is RunState.CANCELLED


def test_no_page_and_no_mail_takes_it_for_a_preview(wizarding: Wizarding) -> None:
    house = wizarding.house
    changed_gender(house)
    mails = len(house.postbox.mails)
    save_without(wizarding, "gender")
    try_items(wizarding, exchanged=[*without(wizarding), "gender"])
    run_id = trial_id(wizarding)
    house.work()
    assert run_of(house, run_id).state is RunState.PREVIEWED
    assert all(not panel.previews for panel in see_dashboard(house.ctx, KEY).panels)
    assert run_id not in wizarding.admin.open("/runs") and run_id not in wizarding.admin.open("/")
    key = add_key(house.ctx, "x", [Scope.RUNS_READ])
    listed = wizarding.app.test_client().get("/api/v1/runs", headers={"Authorization": f"Bearer {key}"})
    assert listed.status_code == 200 and run_id not in listed.text
    with pytest.raises(Refused) as refused:
        approve(house.ctx, run_id, by="user:1", acknowledged=True)
    assert refused.value.code == "not_previewed"
    wizarding.admin.open("/account")
    answer = wizarding.admin.client.post(f"/runs/{run_id}/approve", data={"csrf_token": wizarding.admin.token})
    assert answer.status_code == 409
    house.work()
    assert len(house.postbox.mails) == mails and run_of(house, run_id).approved_at is None


def test_what_needs_action_knows_nothing_of_trials(wizarding: Wizarding) -> None:
    """Neither while one is shown nor after it was replaced: home goes on to say when all were compared."""
    save_without(wizarding, "gender")
    changed_gender(wizarding.house)
    before = see_attention(wizarding.house.ctx)
    assert before.checked_at is not None
    trials = []
    wizarding.house.clock.turn(minutes=5)
    for direction in Direction:
        try_items(wizarding, direction, exchanged=[*without(wizarding), "gender"])
        trials.append(trial_id(wizarding))
        wizarding.house.work()
        assert see_attention(wizarding.house.ctx) == before
    states = [run_of(wizarding.house, each).state for each in trials]
    assert states == [RunState.CANCELLED, RunState.PREVIEWED]


def test_when_a_vendor_does_not_let_us_in_the_page_says_so_and_saving_goes_on(wizarding: Wizarding) -> None:
    wizarding.house.smarthr_injector.set_switches({"token_revoked": True})
    try_items(wizarding)
    run_id = trial_id(wizarding)
    wizarding.house.work()
    assert see_trial(wizarding.house.ctx, KEY, run_id).error_code == "E18"
    wizarding.admin.open(f"{PAGE}?trial={run_id}")
    assert "試せなくても、設定は保存できます" in wizarding.admin.words and "認可" in wizarding.admin.words
    wizarding.admin.send(f"{PAGE}/items", exchanged=without(wizarding, "gender"))
    assert wizarding.house.connection.excluded == {"gender"}


def test_a_refused_trial_shows_what_was_typed(wizarding: Wizarding) -> None:
    """A paused connection takes no survey; the ticks are still those of the person."""
    with wizarding.house.ctx.unit_of_work() as uow:
        uow.connections.set_paused(wizarding.house.connection.id, True)
    told = try_items(wizarding, exchanged=without(wizarding, "gender"))
    assert "一時停止中" in told
    (box,) = re.findall(r'<input type="checkbox" name="exchanged" value="gender"[^>]*>', wizarding.admin.text)
    assert "checked" not in box and wizarding.house.connection.excluded == frozenset()
    assert 'data-asks-before-leaving="typed"' in wizarding.admin.text


def test_only_who_sets_up_sees_a_trial(wizarding: Wizarding) -> None:
    try_items(wizarding)
    run_id = trial_id(wizarding)
    for role in (Role.MEMBER, Role.VIEWER, Role.OPS):
        who = wizarding.visit(role)
        for address in (f"{PAGE}/trials/{run_id}", f"{PAGE}/trials/{run_id}/people"):
            who.open(address, status=403)
    other = wizarding.house.start(TO_FREEE, dry_run=True)
    wizarding.admin.open(f"{PAGE}/trials/{other.id}", status=404)
