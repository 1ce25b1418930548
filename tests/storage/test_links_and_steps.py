"""Links, steps, field changes, survey pages, directory: what an item leaves behind."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from app.domain.employee import PaySchedule
from app.domain.enums import Step, System
from app.domain.runs.run_state import RunState
from app.domain.settings.readability import Listing
from app.domain.snapshot import BLANK
from app.storage.enums import ChangeState, StepState, UnlinkReason
from app.storage.links.rows import DirectoryEntry
from app.storage.runs.rows import NewChange
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection, add_run, running_run, start_item

pytestmark = pytest.mark.sql


def test_both_sides_of_a_link_are_linked_once(database: Database) -> None:
    connection, other = add_connection(database), add_connection(database, key="other")
    with database.unit_of_work() as uow:
        uow.links.create(connection.id, "crew-1", "1", now=NOW)
        uow.links.create(other.id, "crew-1", "1", now=NOW)
    for smarthr_id, freee_id in (("crew-1", "2"), ("crew-2", "1")):
        with pytest.raises(IntegrityError), database.unit_of_work() as uow:
            uow.links.create(connection.id, smarthr_id, freee_id, now=NOW)


def test_an_unlinked_pair_may_be_linked_anew(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        link = uow.links.create(connection.id, "crew-1", "1", now=NOW, baseline={"gender": "abc"})
        assert uow.links.unlink(link.id, why=UnlinkReason.BY_PERSON, now=NOW)
        assert not uow.links.unlink(link.id, why=UnlinkReason.BY_PERSON, now=NOW)
        again = uow.links.create(connection.id, "crew-1", "2", now=NOW)
        uow.links.set_baseline(again.id, {"title": "def"})
        live = uow.links.for_connection(connection.id)
        by_freee = uow.links.by_source(connection.id, System.FREEE, "2")
        old = uow.links.by_source(connection.id, System.FREEE, "1")
    assert [(row.freee_id, row.baseline) for row in live] == [("2", {"title": "def"})]
    assert by_freee is not None
    assert (by_freee.id_in(System.SMARTHR), by_freee.id_in(System.FREEE)) == ("crew-1", "2")
    assert old is None


def test_a_baseline_moves_only_from_the_one_that_was_seen(database: Database) -> None:
    """Who read both sides before an undo must not wipe its mark out by storing what he saw then."""
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        link = uow.links.create(connection.id, "crew-1", "1", now=NOW, baseline={"title": "old", "gender": "abc"})
    with database.unit_of_work() as uow:
        uow.links.set_baseline(link.id, {**link.baseline, "title": "undone"})
    with database.unit_of_work() as uow:
        assert not uow.links.move_baseline(link.id, {"title": "new"}, seen=link.baseline)
        (now,) = uow.links.for_connection(connection.id)
        assert now.baseline == {"title": "undone", "gender": "abc"}
        assert uow.links.move_baseline(link.id, {"title": "new"}, seen=now.baseline)
        (last,) = uow.links.for_connection(connection.id)
    assert last.baseline == {"title": "new"}


def test_a_create_is_in_doubt_until_it_is_settled(database: Database) -> None:
    connection = add_connection(database)
    _, (item,) = running_run(database, connection)
    attempt = start_item(database, item)

    def doubtful() -> bool:
        with database.unit_of_work() as uow:
            return uow.steps.unknown_create(connection.id, "crew-0")

    assert not doubtful()
    with database.unit_of_work() as uow:
        uow.steps.sending(item, attempt, Step.EMPLOYEE, keys=["title"], now=NOW)
    assert not doubtful()  # an update can be sent again
    with database.unit_of_work() as uow:
        uow.steps.sending(item, attempt, Step.CREATE, keys=["last_name"], now=NOW)
    assert doubtful()  # died before the answer
    with database.unit_of_work() as uow:
        uow.steps.failed(item, attempt, Step.CREATE, error_code="E22", now=NOW, unknown=True)
    assert doubtful()  # the answer was lost
    with database.unit_of_work() as uow:
        assert not uow.steps.unknown_create(connection.id, "crew-9")
        uow.steps.settle_creates(connection.id, "crew-0", happened=False, now=NOW)
    assert not doubtful()
    with database.unit_of_work() as uow:
        states = {step.step: step.state for step in uow.steps.of_items([item])[item]}
    assert states == {Step.EMPLOYEE: StepState.SENDING, Step.CREATE: StepState.FAILED}


def test_the_end_of_a_step_is_the_end_of_the_one_being_sent(database: Database) -> None:
    connection = add_connection(database)
    _, (item,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        for attempt, ending in ((1, "failed"), (2, "done")):
            uow.steps.sending(item, attempt, Step.PROFILE, keys=["phone"], now=NOW)
            assert uow.steps.any_done(item) is False
            if ending == "failed":
                uow.steps.failed(item, attempt, Step.PROFILE, error_code="E17", now=NOW)
            else:
                uow.steps.done(item, attempt, Step.PROFILE, now=NOW)
        assert uow.steps.any_done(item)
        steps = uow.steps.of_items([item])[item]
    assert [(s.attempt, s.state, s.error_code, s.keys) for s in steps] == [
        (1, StepState.FAILED, "E17", ["phone"]),
        (2, StepState.DONE, None, ["phone"]),
    ]


def test_planning_again_keeps_what_was_written(database: Database) -> None:
    connection = add_connection(database)
    _, (item,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        uow.changes.replace(item, [NewChange("title", "係長", "課長"), NewChange("phone", BLANK, "03-0000-0000")])
        uow.changes.mark_written(item, ["title"], step=Step.EMPLOYEE)
        uow.changes.replace(item, [NewChange("phone", BLANK, "03-0000-0001")])
    with database.unit_of_work() as uow:
        changes = {change.key: change for change in uow.changes.of_items([item])[item]}
    assert (changes["title"].state, changes["title"].step) == (ChangeState.WRITTEN, Step.EMPLOYEE)
    assert (changes["phone"].before, changes["phone"].after) == (BLANK, "03-0000-0001")


def test_a_key_written_twice_shows_the_whole_way(database: Database) -> None:
    connection = add_connection(database)
    _, (item,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        uow.changes.replace(item, [NewChange("title", "係長", "課長")])
        uow.changes.mark_written(item, ["title"])
        uow.changes.replace(item, [NewChange("title", "課長", "部長")])
        (change,) = uow.changes.of_items([item])[item]
    assert (change.before, change.after, change.state) == ("係長", "部長", ChangeState.PLANNED)


def test_a_survey_goes_on_behind_its_last_page(database: Database) -> None:
    run = add_run(database, add_connection(database))
    with database.unit_of_work() as uow:
        assert not uow.survey_pages.cursor(run.id, System.FREEE).complete
        uow.survey_pages.add(run.id, System.FREEE, seq=0, rows=[{"id": 1}, {"id": 2}], next_cursor="2")
        uow.survey_pages.add(run.id, System.SMARTHR, seq=0, rows=[{"id": "a"}], next_cursor=None)
    with database.unit_of_work() as uow:
        position = uow.survey_pages.cursor(run.id, System.FREEE)
        assert (position.pages, position.next_cursor, position.complete) == (1, "2", False)
        uow.survey_pages.add(run.id, System.FREEE, seq=1, rows=[{"id": 3}], next_cursor=None)
        assert uow.survey_pages.cursor(run.id, System.FREEE).complete
        assert [row["id"] for row in uow.survey_pages.rows(run.id, System.FREEE)] == [1, 2, 3]
    with pytest.raises(IntegrityError), database.unit_of_work() as uow:
        uow.survey_pages.add(run.id, System.FREEE, seq=1, rows=[], next_cursor=None)
    with database.unit_of_work() as uow:
        uow.survey_pages.delete(run.id)
        assert uow.survey_pages.cursor(run.id, System.SMARTHR).pages == 0


def test_a_directory_is_replaced_as_a_whole(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        first = [DirectoryEntry(f"{n:04d}", f"crew-{n}") for n in range(1200)]
        uow.directory.replace(connection.id, System.SMARTHR, first, now=NOW)
        wanted = [f"{n:04d}" for n in range(1190, 1210)]
        known = uow.directory.known_numbers(connection.id, System.SMARTHR, wanted)
        assert known == {f"{n:04d}" for n in range(1190, 1200)}
        assert uow.directory.size(connection.id, System.FREEE) == 0
        twice = [DirectoryEntry("", "a"), DirectoryEntry("", "b"), DirectoryEntry("1", "b")]
        uow.directory.replace(connection.id, System.SMARTHR, twice, now=NOW)
        assert uow.directory.size(connection.id, System.SMARTHR) == 2


def test_what_a_survey_learns_is_added_to_what_is_known(database: Database) -> None:
    connection = add_connection(database)
    monthly = PaySchedule(closing_day=31, pay_day=25, paid_next_month=True, name="月末締め")
    with database.unit_of_work() as uow:
        phone, gender = ({System.SMARTHR: Listing({name: "1"})} for name in ("tel_number", "gender"))
        marks = {System.SMARTHR: connection.token_mark(System.SMARTHR)}
        uow.connections.learn(connection.id, phone, {"月末締め": monthly}, ["課長"], marks=marks, now=NOW)
        uow.connections.learn(connection.id, gender, {}, None, marks=marks, now=NOW)
        learned = uow.connections.get(connection.id)
    assert learned is not None
    assert learned.readable_attributes == {"tel_number", "gender"}
    assert learned.pay_schedules == {"月末締め": monthly}
    assert learned.known_positions == {"課長"}


def test_of_two_surveys_one_commits_its_plan(database: Database) -> None:
    run = add_run(database, add_connection(database))
    with database.unit_of_work() as uow:
        first = uow.runs.claim_survey(run.id, now=NOW, lease_until=NOW)
    later = NOW.replace(hour=4)
    with database.unit_of_work() as uow:
        assert uow.runs.claim_survey(run.id, now=NOW, lease_until=later) is None  # the lease still lives
        second = uow.runs.claim_survey(run.id, now=later, lease_until=later)
        assert first is not None
        assert second is not None
        assert (second.survey_attempt, second.survey_starts) == (2, 2)
        assert not uow.runs.renew_survey(run.id, later, attempt=first.survey_attempt)
        late = uow.runs.plan_committed(run.id, state=RunState.RUNNING, total=1, now=NOW, attempt=first.survey_attempt)
        mine = uow.runs.plan_committed(run.id, state=RunState.RUNNING, total=2, now=NOW, attempt=second.survey_attempt)
        stored = uow.runs.get(run.id)
    assert (late, mine) == (False, True)
    assert stored is not None
    assert stored.total == 2
