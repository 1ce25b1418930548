"""Law: a new SECRET_KEY is no change of anybody. At every step, what was agreed, told, cleared or rests under the
former key is recognised; after a comparison nothing needs the former key any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.enums import Direction, System
from app.domain.errors import Refused
from app.domain.planning.rule_version import key_label
from app.domain.planning.three_way import ROWS_KEY
from app.domain.runs.commands import ReceivedEvent
from app.domain.settings.connection_settings import ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.practice.staff.scenarios import Scenario
from app.use_cases.intake.approve_retry_cancel import approve
from app.use_cases.intake.undo import undo
from app.use_cases.intake.webhook_intake import accept, delivery_of
from app.use_cases.links.pairs import find_people
from app.use_cases.shared.views import RunView
from app.use_cases.upkeep.heartbeat import SILENT_SECONDS, beat
from app.use_cases.upkeep.rotation import renew_leftovers, rotate_secrets
from app.use_cases.upkeep.secrets_status import DECISIONS, LINKS, NAMES, KeyKind, KeyUse, secrets_status
from app.web.i18n import wording
from tests.house import KEY, House
from tests.statements import statements
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import (
    FREEE_PHONE,
    SMARTHR_PHONE,
    person,
    phones,
    set_freee_phone,
    set_smarthr_phone,
    settle,
    sweep,
)

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE
OLD, NEW = "k" * 32, "a-new-secret-key-of-the-coming-year"
OLD_SEAL, NEW_SEAL = "an-invented-encryption-key", "an-encryption-key-of-the-coming-year"
KNOWN, IN_USE, COMPARED, REMOVED = "known", "in use", "compared", "removed"
STEPS = (KNOWN, IN_USE, COMPARED, REMOVED)


@pytest.fixture
def told(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    house = open_practice(only(company, "equal", most=3))
    settle(house, conflict_policy=ConflictPolicy.SMARTHR_WINS)
    sweep(house)
    beat(house.ctx, "only@here:1", since=house.clock.now())
    return house


def at_step(house: House, step: str) -> House:
    """The house with its keys changed as far as this step of the runbook; every process was started anew for it."""
    both = house.another_process(encryption=[NEW_SEAL, OLD_SEAL], signing=[NEW, OLD])
    beat(both.ctx, "only@here:1", since=house.clock.now())
    if step == KNOWN:
        return both
    for _ in rotate_secrets(both.ctx):
        pass
    beat(both.ctx, "only@here:1", since=house.clock.now())
    if step == IN_USE:
        return both
    sweep(both)
    if step == COMPARED:
        return both
    assert secrets_status(both.ctx).is_settled
    return house.another_process(encryption=[NEW_SEAL], signing=[NEW])


def labels(house: House) -> set[str]:
    """The labels of the keys under which the last agreements stand."""
    with house.ctx.unit_of_work() as uow:
        links = uow.links.for_connection(house.connection.id)
    return {key_label(digest) for link in links for key, digest in link.baseline.items() if key != ROWS_KEY}


def pairs(house: House) -> list[Scenario]:
    return [scenario for scenario in house.company.scenarios if scenario.crew_id and scenario.employee_id]


def ends(house: House, runs: list[RunView], source_id: str | None) -> set[str]:
    return {item.state.value for run in runs for item in house.items(run) if item.source_id == source_id}


@pytest.mark.few(2)
@pytest.mark.parametrize("step", STEPS)
def test_a_comparison_finds_all_equal_and_writes_nothing(told: House, step: str) -> None:
    writes, mails = told.writes(), len(told.postbox.mails)
    changed = at_step(told, step)
    runs = sweep(changed)
    assert [item for run in runs for item in changed.items(run)] == []
    assert (changed.writes(), len(changed.postbox.mails)) == (writes, mails)
    new = changed.ctx.keys.signing.newest.id
    assert labels(changed) == ({""} if step == KNOWN else {new})


@pytest.mark.parametrize("step", STEPS)
def test_people_are_found_by_name(told: House, step: str) -> None:
    crew_id = str(person(told).crew_id)
    crew, changed = told.smarthr.crew(crew_id), at_step(told, step)
    for typed in (crew["last_name"], crew["first_name"], crew["last_name_yomi"]):
        found = find_people(changed.ctx, KEY, System.SMARTHR, typed)
        assert found.by_name and crew_id in [each.id for each in found.people]
    assert (needs(changed, NAMES) > 0) == (step == IN_USE)


def test_without_the_former_key_the_page_says_that_names_are_not_known_until_the_next_comparison(told: House) -> None:
    crew = told.smarthr.crew(str(person(told).crew_id))
    hasty = told.another_process(encryption=[OLD_SEAL], signing=[NEW])
    found = find_people(hasty.ctx, KEY, System.SMARTHR, crew["last_name"])
    assert (found.people, found.by_name) == ((), False)
    assert [each.number for each in find_people(hasty.ctx, KEY, System.SMARTHR, crew["emp_code"]).people]
    sweep(hasty)
    found = find_people(hasty.ctx, KEY, System.SMARTHR, crew["last_name"])
    assert found.people and found.by_name


@pytest.mark.parametrize("step", [KNOWN, IN_USE, COMPARED])
def test_a_repeated_webhook_is_a_repetition_also_under_the_new_key(told: House, step: str) -> None:
    event = ReceivedEvent(System.SMARTHR, "crew_updated", people=("c",), known=True, triggered_at=told.clock.now())
    places = (told.connection.id, None)  # as freee's, whose event may belong to several connections
    first = accept(told.ctx, [delivery_of(told.ctx, event, place, b"body") for place in places])
    changed = at_step(told, step)
    again = accept(changed.ctx, [delivery_of(changed.ctx, event, place, b"body") for place in (*places, *places)])
    assert [(each.id, each.repeated) for each in again] == [(each.id, True) for each in (*first, *first)]
    (other,) = accept(changed.ctx, [delivery_of(changed.ctx, event, told.connection.id, b"another body")])
    assert not other.repeated


def test_a_plan_approved_before_the_change_is_written_after_it(told: House) -> None:
    set_smarthr_phone(told, person(told))
    preview = told.run(TO_FREEE, dry_run=True)
    changed = at_step(told, IN_USE)
    assert needs(changed, DECISIONS) == 1
    approve(changed.ctx, preview.id, by="test", acknowledged=True)
    changed.work()
    assert phones(changed, person(told))[1] == SMARTHR_PHONE
    assert needs(changed, DECISIONS) == 0


@pytest.mark.few(2)
@pytest.mark.parametrize("step", [KNOWN, IN_USE, REMOVED])
def test_what_was_agreed_cleared_and_resting_is_recognised(told: House, step: str) -> None:
    moves, clears, rests = pairs(told)
    set_smarthr_phone(told, clears)
    told.freee_injector.set_switch("ignores_writes_of", ["last_name"])
    told.smarthr.edit(rests.crew_id or "", {"last_name": "長谷川"})
    for _ in range(3):
        sweep(told)
    writes, changed = told.writes(), at_step(told, step)
    sweep(changed)
    assert changed.writes() == writes, "what rests goes on resting"
    set_freee_phone(changed, moves)
    changed.smarthr.edit(clears.crew_id or "", {"tel_number": None})
    sweep(changed)
    assert phones(changed, moves) == (FREEE_PHONE, FREEE_PHONE), "only the target has moved since the agreement"
    profile = changed.freee.employee(clears.employee_id or 0, month=(told.today.year, told.today.month))["profile_rule"]
    assert not any(profile[f"phone{part}"] for part in (1, 2, 3)), "what was cleared on purpose is cleared"
    writes = changed.writes()
    changed.smarthr.edit(rests.crew_id or "", {"last_name": "東海林"})
    sweep(changed)
    assert changed.writes() == writes + 1, "the value has moved, so it is tried again"


def test_an_undo_puts_back_what_was_there(told: House) -> None:
    who = person(told)
    before = phones(told, who)[1]
    set_smarthr_phone(told, who)
    run = told.run(TO_FREEE)
    changed = at_step(told, REMOVED)
    undoing = undo(changed.ctx, run.id, by="test")
    changed.work()
    approve(changed.ctx, undoing.id, by="test", acknowledged=True)
    changed.work()
    assert phones(changed, who)[1] == before


def needs(house: House, what: str) -> int:
    """How much needs the former signing key."""
    keys = secrets_status(house.ctx).keys
    return sum(key.needs.get(what, 0) for key in keys if key.kind is KeyKind.SIGNING and key.use is not KeyUse.IN_USE)


def test_the_status_says_how_many_pairs_still_need_the_former_key(told: House) -> None:
    changed = at_step(told, IN_USE)
    assert needs(changed, LINKS) == 3 and not secrets_status(changed.ctx).is_settled
    sweep(changed)
    assert needs(changed, LINKS) == 0 and secrets_status(changed.ctx).is_settled
    renew_leftovers(changed.ctx)
    uses = {key.id: key.use for key in secrets_status(changed.ctx).keys if key.given}
    assert sorted(map(str, uses.values())) == ["in_use", "in_use", "retired", "retired"]


def test_while_pairs_need_the_former_signing_key_no_encrypted_value_is_opened(told: House) -> None:
    """The clock asks every half minute, for as long as it takes until everybody was compared."""
    changed = at_step(told, IN_USE)
    renew_leftovers(changed.ctx)
    assert needs(changed, LINKS) == 3, "of the former keys only the one that signs is left"
    with statements(changed.database.engine) as sent:
        assert renew_leftovers(changed.ctx) == 0
    assert [statement for statement in sent if "_enc" in statement] == []
    assert needs(changed, LINKS) == 3, "and the former key stays"


def test_a_pair_that_nobody_can_read_is_asked_about_once_the_former_key_is_gone(told: House) -> None:
    """Removed too early: the difference may be the key's, so an automatic run asks instead of writing."""
    at_step(told, IN_USE)
    writes = told.writes()
    without = told.another_process(encryption=[NEW_SEAL, OLD_SEAL], signing=[NEW])
    sweep(without)
    assert without.writes() == writes, "what is equal is agreed on anew"
    again = at_step(without, IN_USE)
    early = again.another_process(encryption=[NEW_SEAL, OLD_SEAL], signing=["z" * 40])
    set_freee_phone(early, person(told))
    runs = sweep(early)
    assert ends(early, runs, person(told).crew_id) == {"needs_review"}
    assert early.writes() == writes


# ── bringing a key into use ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("check")
def test_no_key_comes_into_use_while_a_living_process_does_not_know_it(told: House) -> None:
    beat(told.ctx, "worker_bulk@there:7", since=told.clock.now())
    both = told.another_process(encryption=[NEW_SEAL, OLD_SEAL], signing=[NEW, OLD])
    beat(both.ctx, "only@here:1", since=told.clock.now())
    with pytest.raises(Refused) as refused:
        list(rotate_secrets(both.ctx))
    assert refused.value.code == "key_unknown_to_process"
    said = wording("ja").refusal(refused.value)
    assert "worker_bulk@there:7" in said and "only@here" not in said
    assert both.ctx.keys.encryption.in_use.text == OLD_SEAL and both.ctx.keys.signing.in_use.text == OLD
    told.clock.turn(seconds=SILENT_SECONDS + 1)
    beat(both.ctx, "only@here:1", since=told.clock.now())
    list(rotate_secrets(both.ctx))
    assert both.ctx.keys.encryption.in_use.text == NEW_SEAL and both.ctx.keys.signing.in_use.text == NEW


@pytest.mark.reach("check")
def test_a_process_with_the_new_key_writes_what_its_neighbours_can_read(told: House) -> None:
    both = told.another_process(encryption=[NEW_SEAL, OLD_SEAL], signing=[NEW, OLD])
    with both.ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(told.connection.id, "a-secret", previous_until=told.clock.now())
    with told.ctx.unit_of_work() as uow:
        registration = uow.webhook_registrations.get(told.connection.id)
    assert registration is not None and registration.secret == "a-secret"
