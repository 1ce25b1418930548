"""Promise 14: two persons for accounts. Such a change waits for a second person, who is neither the one who started or
approved the run nor the one who switched the setting off last; from the wire of SmartHR to the wire of freee and mail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.enums import UnlinkReason
from app.use_cases.accounts import users
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.connections.two_persons import set_two_persons
from app.use_cases.intake import approve_retry_cancel, undo
from app.use_cases.intake.second_person import Alone
from app.use_cases.queries.decisions import Decision, decisions
from app.use_cases.shared.views import RunView
from app.use_cases.survey import sweep
from app.use_cases.upkeep import reconcile
from tests.house import KEY, House
from tests.listening import FREEE_TOKEN, automatic, listening, now_in_japan, settle
from tests.use_cases.test_job import only
from tests.use_cases.test_two_persons_setting import add

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


class Office:
    """A house with four users, of whom the connection asks two for accounts."""

    def __init__(self, house: House, mode: str = "accounts") -> None:
        self.house = house
        people = [(f"{name}@example.invalid", Role.ADMIN) for name in ("aoki", "baba", "chiba")]
        self.aoki, self.baba, self.chiba, self.viewer = add(house, *people, ("view@example.invalid", Role.VIEWER))
        set_two_persons(house.ctx, KEY, mode=mode, by=self.chiba)

    def move_account(self, nth: int = 0, number: str = "9000001", **more: Any) -> None:
        crew = self.house.smarthr.crews[nth]
        account = {**crew["bank_accounts"][0], "account_number": number}
        self.house.smarthr.edit(crew["id"], {"bank_accounts": [account], **more})

    def account(self, nth: int = 0) -> str:
        """The account number that freee holds."""
        return self.in_freee(nth)["bank_account_rule"]["account_number"]

    def in_freee(self, nth: int = 0) -> dict[str, Any]:
        (employee,) = self.house.freee.ids_by_num(self.house.smarthr.crews[nth]["emp_code"])
        today = now_in_japan(self.house)
        return self.house.freee.employee(employee, month=(today.year, today.month))

    @property
    def profile(self) -> dict[str, Any]:
        return self.in_freee()["profile_rule"]

    def run(self, by: str, **more: Any) -> RunView:
        return self.house.run(TO_FREEE, as_of_date=now_in_japan(self.house), started_by=by, **more)

    @property
    def waiting(self) -> list[Decision]:
        return decisions(self.house.ctx, by=self.aoki)

    def approve(self, by: str, run: str | None = None, **more: Any) -> None:
        approve_retry_cancel.approve(self.house.ctx, run or self.waiting[0].run, by=by, acknowledged=True, **more)
        self.house.work()

    def refused(self, by: str, run: str | None = None, **more: Any) -> str:
        with pytest.raises(Refused) as caught:
            approve_retry_cancel.approve(self.house.ctx, run or self.waiting[0].run, by=by, acknowledged=True, **more)
        return caught.value.code


@pytest.fixture
def office(open_practice: Callable[..., House], company: PracticeCompany) -> Office:
    house = open_practice(only(company, "equal", most=3), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.postbox.mails.clear()
    return Office(house)


# ── who decides ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_account_waits_while_everything_else_is_written(office: Office) -> None:
    office.move_account(0, first_name="太一郎")
    before = office.account()
    run = office.run(office.aoki)
    assert (office.account(), office.profile["first_name"]) == (before, "太一郎")
    item = office.house.items(run)[0]
    assert (item.state, item.error_code) == (ItemState.CONFLICT, "waits_for_second_person")
    (waiting,) = office.waiting
    assert (waiting.people, [actor.name for actor in waiting.first]) == (1, ["aoki@example.invalid"])
    office.approve(office.baba)
    assert office.account() == "9000001"
    assert office.waiting == []


def test_the_starter_the_approver_and_who_switched_it_off_last_are_refused(office: Office) -> None:
    set_two_persons(office.house.ctx, KEY, mode="off", by=office.chiba)
    set_two_persons(office.house.ctx, KEY, mode="accounts", by=office.aoki)
    (dora,) = add(office.house, ("dora@example.invalid", Role.MEMBER))
    office.move_account()
    before = office.account()
    preview = office.run(office.aoki, dry_run=True)
    assert preview.state is RunState.PREVIEWED
    office.approve(office.baba, preview.id)  # everything but the account
    assert office.account() == before
    assert office.refused(office.aoki) == office.refused(office.baba) == "second_person_is_first"
    assert office.refused(office.chiba) == "second_person_switched_off"
    assert office.refused(office.viewer) == "second_person_not_entitled"
    assert office.refused("cli") == office.refused("webhook") == "second_person_no_user"
    users.disable(office.house.ctx, int(dora.partition(":")[2]), by="cli")
    assert office.refused(dora) == "second_person_not_entitled"
    users.enable(office.house.ctx, int(dora.partition(":")[2]), by="cli")
    assert office.account() == before
    office.approve(dora)
    assert office.account() == "9000001"


def test_an_automatic_change_is_decided_by_one_entitled_person(office: Office) -> None:
    automatic(office.house, Automatic.SMARTHR_TO_FREEE)
    office.move_account()
    before = office.account()
    sweep.sweep_due(office.house.ctx)
    office.house.work()
    (waiting,) = office.waiting
    assert (waiting.first, waiting.why_not, office.account()) == ((), None, before)
    office.approve(office.aoki)
    assert office.account() == "9000001"


def test_nothing_of_it_is_written_by_any_later_run(office: Office) -> None:
    automatic(office.house, Automatic.SMARTHR_TO_FREEE)
    office.move_account()
    before = office.account()
    office.run(office.aoki)
    for nth in range(3):
        office.house.smarthr.edit(office.house.smarthr.crews[0]["id"], {"first_name": f"花{nth}"})
        office.run(office.baba)
        office.house.clock.turn(hours=1)
        sweep.sweep_due(office.house.ctx)
        office.house.work()
    assert office.account() == before
    assert len(office.waiting) == 1
    told = [mail for mail in office.house.postbox.mails if mail.subject.startswith("【要承認】")]
    assert len(told) == 1


def test_webhooks_carry_the_rest_and_leave_the_account(office: Office) -> None:
    with listening(office.house, Automatic.BOTH):
        before = office.account()
        office.move_account(0, first_name="通知")
        settle(office.house)
        assert (office.account(), office.profile["first_name"]) == (before, "通知")
        assert office.house.smarthr.crews[0]["bank_accounts"][0]["account_number"] == "9000001"  # nor carried back
        office.approve(office.aoki)
        settle(office.house)
    assert office.account() == "9000001"


def test_a_value_that_moves_while_it_waits_is_asked_anew(office: Office) -> None:
    office.move_account(number="9000001")
    office.run(office.aoki)
    office.move_account(number="9000002")
    office.run(office.baba)
    before = office.account()
    assert office.refused(office.baba) == "second_person_is_first"  # who has asked for the new value
    office.approve(office.aoki)
    assert (before, office.account()) == (before, "9000002")


def test_nobody_becomes_the_second_by_an_edit_of_their_own(office: Office) -> None:
    automatic(office.house, Automatic.SMARTHR_TO_FREEE)
    office.move_account(number="9000001")
    office.run(office.aoki)
    office.move_account(number="9000002")
    office.house.clock.turn(hours=1)
    sweep.sweep_due(office.house.ctx)
    office.house.work()
    assert office.refused(office.aoki) == "second_person_is_first"
    office.approve(office.baba)
    assert office.account() == "9000002"


def test_what_moves_between_the_page_and_the_click_is_not_written(office: Office) -> None:
    office.move_account(number="9000001")
    office.run(office.aoki)
    office.house.smarthr.edit(office.house.smarthr.crews[0]["id"], {})
    run = office.waiting[0].run
    approve_retry_cancel.approve(office.house.ctx, run, by=office.baba)
    before = office.account()
    office.move_account(number="9000002")  # after the click, before the job
    office.house.work()
    assert office.account() == before
    (waiting,) = office.waiting
    assert waiting.run != run


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def key_of(house: House, *scopes: str) -> str:
    token = add_key(house.ctx, "夜間の同期", scopes)
    return f"key:{token.split('_')[1]}"


def test_a_key_needs_a_scope_of_its_own_and_is_never_the_second(office: Office) -> None:
    plain, with_scope = key_of(office.house, "runs:write"), key_of(office.house, "runs:write", Scope.ACCOUNTS_WRITE)
    other = key_of(office.house, *Scope)
    office.move_account()
    with pytest.raises(Refused) as caught:
        office.run(plain, trigger=Trigger.API)
    assert (caught.value.code, caught.value.status) == ("accounts_scope_missing", 403)
    preview = office.run(plain, trigger=Trigger.API, dry_run=True)
    assert office.refused(plain, preview.id) == "accounts_scope_missing"
    before = office.account()
    office.run(with_scope, trigger=Trigger.API)
    assert office.account() == before
    assert office.refused(with_scope) == office.refused(other) == "second_person_no_user"
    with pytest.raises(Refused, match="second_person_no_user"):
        approve_retry_cancel.cancel(office.house.ctx, office.waiting[0].run, by=other)
    office.approve(office.aoki)
    assert office.account() == "9000001"


def test_a_key_without_the_scope_approves_what_has_no_accounts(office: Office) -> None:
    plain = key_of(office.house, "runs:write")
    office.house.smarthr.edit(office.house.smarthr.crews[0]["id"], {"first_name": "花"})
    preview = office.run(plain, trigger=Trigger.API, dry_run=True)
    office.approve(plain, preview.id)
    assert office.profile["first_name"] == "花"


# ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("all")
def test_it_is_mailed_once_expires_and_is_offered_anew(office: Office) -> None:
    set_two_persons(office.house.ctx, KEY, hours=24, by=office.chiba)
    office.move_account()
    before = office.account()
    office.run(office.aoki)
    asked = [mail for mail in office.house.postbox.mails if mail.subject.startswith("【要承認】")]
    (mail,) = asked
    assert set(mail.to) == {"baba@example.invalid", "chiba@example.invalid"}
    assert f"/runs/{office.waiting[0].run}/confirm" in mail.body
    office.house.postbox.mails.clear()
    office.house.clock.turn(hours=23)
    reconcile.reconcile_once(office.house.ctx)
    assert len(office.waiting) == 1
    office.house.clock.turn(hours=2)
    run = office.waiting[0].run
    assert office.refused(office.baba) == "second_person_expired"
    reconcile.reconcile_once(office.house.ctx)
    office.house.work()
    assert office.waiting == []
    (told,) = office.house.postbox.mails
    assert told.subject.startswith("【お知らせ】承認の期限")
    withdrawn = office.house.seen(RunViewId(run))
    assert (withdrawn.state, withdrawn.error_code) == (RunState.CANCELLED, "second_person_expired")
    office.run(office.aoki)
    assert (len(office.waiting), office.account()) == (1, before)


def test_what_was_declined_rests_until_it_moves_or_somebody_asks(office: Office) -> None:
    automatic(office.house, Automatic.SMARTHR_TO_FREEE)
    office.move_account()
    before = office.account()
    sweep.sweep_due(office.house.ctx)
    office.house.work()
    declined = office.waiting[0].run
    approve_retry_cancel.cancel(office.house.ctx, declined, by=office.aoki)
    office.house.work()
    assert office.house.seen(RunViewId(declined)).error_code == "second_person_declined"
    office.house.clock.turn(hours=2)
    sweep.sweep_due(office.house.ctx)
    office.house.work()
    assert office.waiting == []
    office.run(office.aoki)  # a person asks
    assert (len(office.waiting), office.account()) == (1, before)


def test_the_emergency_way_is_one_administrator_with_a_reason_told_to_all(office: Office) -> None:
    office.move_account()
    office.run(office.aoki)
    run = office.waiting[0].run
    me = int(office.aoki.partition(":")[2])
    (member,) = add(office.house, ("member@example.invalid", Role.MEMBER))
    assert office.refused(office.aoki, alone=Alone(me, "急ぎ")) == "reason_missing"
    nobody = Alone(int(member.partition(":")[2]), "給与の振込が今日のため")
    assert office.refused(member, alone=nobody) == "alone_needs_administrator"
    office.house.postbox.mails.clear()
    office.approve(office.aoki, alone=Alone(me, "給与の振込が今日のため、1人で承認します"))
    assert office.account() == "9000001"
    (told,) = [mail for mail in office.house.postbox.mails if mail.subject.startswith("【重要】")]
    assert {"aoki@example.invalid", "baba@example.invalid", "chiba@example.invalid"} <= set(told.to)
    assert "給与の振込が今日のため" in told.body and "aoki@example.invalid" in told.body
    with office.house.ctx.unit_of_work() as uow:
        actions = [(each.action, each.actor) for each in uow.audit.page(subject=f"run:{run}")]
        row = uow.runs.get_by_public_id(run)
        assert row is not None and uow.second_persons.reason(row.id) == "給与の振込が今日のため、1人で承認します"
    assert ("decided_alone", office.aoki) in actions


def test_without_anybody_else_nothing_is_locked_for_ever(office: Office) -> None:
    """With nobody left who may decide it is said, and the emergency way and the time limit remain."""
    office.move_account()
    office.run(office.aoki)
    for actor in (office.baba, office.chiba):
        users.disable(office.house.ctx, int(actor.partition(":")[2]), by="cli")
    (waiting,) = office.waiting
    assert waiting.nobody_may
    office.approve("cli", alone=Alone(int(office.aoki.partition(":")[2]), "ほかの利用者がいないため"))
    assert office.account() == "9000001"


# ── other runs, other corners ─────────────────────────────────────────────────────────────────────────────────────


def test_a_new_person_is_created_and_the_account_waits(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", most=1))
    office = Office(house)
    number = house.smarthr.crews[0]["emp_code"]
    run = office.run(office.aoki)
    assert len(house.freee.ids_by_num(number)) == 1
    assert not (office.in_freee()["bank_account_rule"] or {}).get("account_number")
    assert house.item(run, number).error_code == "waits_for_second_person"
    office.approve(office.baba)
    assert office.account() == house.smarthr.crews[0]["bank_accounts"][0]["account_number"]


def test_undo_waits_for_a_second_person_too(office: Office) -> None:
    office.move_account()
    before = office.account()
    office.run(office.aoki)
    written = office.waiting[0].run
    office.approve(office.baba)
    assert office.account() == "9000001"
    back = undo.undo(office.house.ctx, written, by=office.baba)
    office.house.work()
    assert [each.run for each in office.waiting] == [back.id]
    assert office.refused(office.baba, back.id) == "second_person_is_first"
    office.approve(office.aoki, back.id)
    assert office.account() == before


@pytest.mark.reach("all")
def test_an_undo_previewed_before_it_was_switched_on_waits_as_well(office: Office) -> None:
    set_two_persons(office.house.ctx, KEY, mode="off", by=office.chiba)
    office.move_account()
    before = office.account()
    written = office.run(office.aoki)
    back = undo.undo(office.house.ctx, written.id, by=office.aoki)
    office.house.work()
    set_two_persons(office.house.ctx, KEY, mode="accounts", by=office.baba)
    assert office.refused(office.aoki, back.id) == "second_person_is_first"
    assert [each.run for each in office.waiting] == [back.id]
    office.approve(office.baba, back.id)
    assert office.account() == before


def test_a_preview_opened_before_it_was_switched_on_waits_as_well(office: Office) -> None:
    set_two_persons(office.house.ctx, KEY, mode="off", by=office.chiba)
    office.move_account()
    before = office.account()
    preview = office.run(office.aoki, dry_run=True)
    set_two_persons(office.house.ctx, KEY, mode="accounts", by=office.baba)
    office.approve(office.aoki, preview.id)
    assert office.account() == before
    office.approve(office.baba)
    assert office.account() == "9000001"


@pytest.mark.reach("all")
def test_switched_off_what_waits_stays_to_be_decided(office: Office) -> None:
    office.move_account(0)
    before = office.account()
    office.run(office.aoki)
    set_two_persons(office.house.ctx, KEY, mode="off", by=office.baba)
    office.run(office.aoki)
    assert office.account() == before
    assert office.refused(office.baba) == "second_person_switched_off"
    office.move_account(1, number="9000007")  # what was not stopped before needs nobody now
    office.run(office.aoki)
    assert office.account(1) == "9000007"
    office.approve(office.chiba)
    assert office.account() == "9000001"


def test_a_retry_inherits_the_first_person(office: Office) -> None:
    (dora,) = add(office.house, ("dora@example.invalid", Role.MEMBER))
    set_two_persons(office.house.ctx, KEY, mode="off", by=office.chiba)
    office.move_account()
    office.house.freee_injector.fault(method="PUT", path="/bank_account_rule", times=100, status=400, body="{}")
    failed = office.run(office.aoki)
    assert office.house.seen(failed).counts[ItemState.FAILED] == 1
    office.house.freee_injector.clear_faults()
    set_two_persons(office.house.ctx, KEY, mode="accounts", by=office.aoki)
    approve_retry_cancel.retry(office.house.ctx, failed.id, by=office.baba)
    office.house.work()
    assert office.refused(office.aoki) == office.refused(office.baba) == "second_person_is_first"
    office.approve(dora)
    assert office.account() == "9000001"


def test_who_starts_another_run_meanwhile_may_still_decide(office: Office) -> None:
    """Else two users who both sync would lock each other out."""
    office.move_account()
    office.run(office.aoki)
    office.run(office.baba)
    assert office.refused(office.aoki) == "second_person_is_first"
    office.approve(office.baba)
    assert office.account() == "9000001"


def test_standard_incomes_wait_only_under_the_wider_setting(office: Office) -> None:
    crew = office.house.smarthr.crews[0]
    office.house.smarthr.edit(crew["id"], {"monthly_standard_income_hel": 320_000})
    office.run(office.aoki)
    assert office.in_freee()["health_insurance_rule"]["standard_monthly_remuneration"] == 320_000
    set_two_persons(office.house.ctx, KEY, mode="accounts_and_income", by=office.chiba)
    office.house.smarthr.edit(crew["id"], {"monthly_standard_income_hel": 340_000})
    office.run(office.aoki)
    assert office.in_freee()["health_insurance_rule"]["standard_monthly_remuneration"] == 320_000
    office.approve(office.baba)
    assert office.in_freee()["health_insurance_rule"]["standard_monthly_remuneration"] == 340_000


def test_an_approval_does_not_follow_the_employee_to_another_record(office: Office) -> None:
    """Two records of freee hold the same account; after the click and before the job the link moves to the other."""
    house = office.house
    office.move_account(0)
    office.run(office.aoki)
    approve_retry_cancel.approve(house.ctx, office.waiting[0].run, by=office.baba)
    crew, (mine,) = house.smarthr.crews[0], house.freee.ids_by_num(house.smarthr.crews[0]["emp_code"])
    twin = house.freee.add({**office.in_freee(), "id": mine + 5000, "num": "9901"})
    assert twin != mine
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        (link,) = [each for each in uow.links.for_connection(connection_id) if each.smarthr_id == crew["id"]]
        uow.links.unlink(link.id, why=UnlinkReason.BY_PERSON, now=house.clock.now())
        uow.links.create(connection_id, crew["id"], str(twin), now=house.clock.now())
    house.work()
    today = now_in_japan(house)
    held = [house.freee.employee(each, month=(today.year, today.month)) for each in (mine, twin)]
    assert "9000001" not in {each["bank_account_rule"]["account_number"] for each in held}


def test_many_accounts_wait_for_the_second_person_and_not_for_the_guard(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=6))
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    office = Office(house)
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    before = [office.account(nth) for nth in range(6)]
    for nth in range(6):
        office.move_account(nth, number=f"900000{nth}", first_name=f"花{nth}")
    house.clock.turn(hours=2)
    sweep.sweep_due(house.ctx)
    house.work()
    (waiting,) = office.waiting
    with house.ctx.unit_of_work() as uow:
        rows = uow.stopped_changes.of_connection(house.connection.id)
    assert (waiting.people, {row.reason.value for row in rows}) == (6, {"second_person"})
    assert [office.account(nth) for nth in range(6)] == before
    office.approve(office.aoki)
    assert [office.account(nth) for nth in range(6)] == [f"900000{nth}" for nth in range(6)]


def test_a_first_person_whose_user_is_disabled_stays_first(office: Office) -> None:
    office.move_account()
    office.run(office.aoki)
    users.disable(office.house.ctx, int(office.aoki.partition(":")[2]), by="cli")
    assert office.refused(office.aoki) == "second_person_not_entitled"
    users.enable(office.house.ctx, int(office.aoki.partition(":")[2]), by="cli")
    assert office.refused(office.aoki) == "second_person_is_first"


class RunViewId:
    """Names a run where a helper of the house wants a view."""

    def __init__(self, run: str) -> None:
        self.id = run
