"""Every cause of 要対応 from the vendors' wire to the list and away. It appears with its remedy, its button and one
owner who may press it, alike on the page, over the API, on the command line and as the metric; and it goes by itself
when the cause is gone."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction, System
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.connections import attributes, pause_resume, webhook_registration
from app.use_cases.connections.two_persons import set_two_persons
from app.use_cases.context import Context
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.queries.attention import see_attention
from app.use_cases.queries.attention_views import Act, Entry, Kind
from app.use_cases.upkeep import homekeeping, reconcile, webhook_watch
from app.web.i18n import wording
from tests.house import KEY, House
from tests.listening import automatic, now_in_japan, swept
from tests.use_cases.test_job import only
from tests.use_cases.test_two_persons_setting import add
from tests.web.application import application_on, operator_of
from tests.web.visitor import Visitor, visitor
from tests.web.wizard_house import Wizarding

JAPANESE = wording("ja")

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
PAGE = f"/connections/{KEY}"


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Five pairs that are equal, and linked."""
    house = open_practice(only(company, "equal", most=5))
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    return house


@dataclass
class Doors:
    """The four places that tell what waits, of one installation."""

    ctx: Context

    def __post_init__(self) -> None:
        self.app = application_on(self.ctx)
        self.client = operator_of(self.app, self.ctx)
        self.admin = self.visit(Role.ADMIN)

    def visit(self, role: Role) -> Visitor:
        return visitor(self.ctx, self.app.test_client(), role, login=f"{role.value}-of-the-doors@example.invalid")

    def causes(self) -> dict[str, int]:
        """Cause → how many wait. All four places tell the same, or the test fails."""
        told = self._page(), self._api(), self._cli(), self._metric()
        assert told[0] == told[1] == told[2] == told[3], told
        return told[0]

    def the(self, code: str) -> Entry:
        """The only entry, which has this cause; its words, owner and buttons stand in each place."""
        assert self.causes() == {code: 1}
        (group,) = see_attention(self.ctx).groups
        (entry,) = group.entries
        message, remedy, owner = JAPANESE.message(code, entry.where), JAPANESE.remedy(code, entry.where), entry.owner
        assert message and remedy
        page = Visitor(self.admin.client)
        page.open("/attention")
        (cause,) = self._answer()["causes"]
        assert (cause["message"], cause["remedy"], cause["owner"]) == (message, remedy, owner.value)
        command = self._ran("attention", "list")
        assert f"対処: {remedy}" in command and f"対応する人: {owner.label}" in command
        assert message in page.words and remedy in page.words and owner.label in page.words
        assert any(act.permission in owner.permissions for act in entry.acts) or entry.kind is Kind.HOUSE
        return entry

    def links(self, role: Role = Role.ADMIN) -> set[str]:
        """Where the buttons and forms of the list lead whoever has this role."""
        page = self.admin if role is Role.ADMIN else self.visit(role)
        text = page.open("/attention")
        return set(re.findall(r'class="button(?: primary)?" href="([^"]+)"', text)) | set(
            re.findall(r'action="(/attention[^"]*)"', text)
        )

    def _page(self) -> dict[str, int]:
        text = self.admin.open("/attention")
        found = re.findall(r'id="cause-(\w+)" aria-labelledby.*?<b class="number">(\d+)', text, re.DOTALL)
        return _summed((code, int(count)) for code, count in found)

    def _api(self) -> dict[str, int]:
        return _summed((each["code"], each["count"]) for each in self._answer()["causes"])

    def _answer(self) -> Any:
        headers = {"Authorization": f"Bearer {add_key(self.ctx, '連携', [Scope.RUNS_READ])}"}
        return self.client.get("/api/v1/attention", headers=headers).get_json()

    def _cli(self) -> dict[str, int]:
        causes = json.loads(self._ran("attention", "list", "--json"))["causes"]
        return _summed((each["code"], each["count"]) for each in causes)

    def _ran(self, *arguments: str) -> str:
        result = self.app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    def _metric(self) -> dict[str, int]:
        metrics = self.client.get("/metrics").text
        lines = re.findall(r'^awase_attention\{cause="(\w+)",connection="\d+"\} (\S+)$', metrics, re.MULTILINE)
        return _summed((code, int(float(number))) for code, number in lines if code != "any")


def _summed(found: Any) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for code, count in found:
        counted[code] += count
    return {code: count for code, count in counted.items() if count}


@pytest.fixture
def doors(house: House) -> Doors:
    made = Doors(house.ctx)
    assert made.causes() == {}
    return made


def accounts(house: House, *nths: int, begin: int = 9_000_001) -> None:
    """Each of these people has another bank account in SmartHR."""
    for nth in nths:
        crew = house.smarthr.crew(str(house.company.scenarios[nth].crew_id))
        changed = {**crew["bank_accounts"][0], "account_number": str(begin + nth)}
        house.smarthr.edit(crew["id"], {"bank_accounts": [changed]})


def account_at_freee(house: House, nth: int) -> str:
    on = now_in_japan(house)
    employee = house.freee.employee(house.company.scenarios[nth].employee_id or 0, month=(on.year, on.month))
    return str(employee["bank_account_rule"]["account_number"])


# ── connections ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_freee_s_consent_is_gone_until_an_administrator_gives_it_again(house: House, doors: Doors) -> None:
    house.freee.revoke_all_tokens()
    house.start(TO_FREEE, as_of_date=now_in_japan(house))
    house.work(reconciling=False)
    entry = doors.the("needs_consent")
    assert (entry.kind, entry.owner, entry.acts) == (Kind.CONSENT, Role.ADMIN, (Act.SETTINGS,))
    assert entry.since is not None, "since people were told"
    assert PAGE in doors.links() and PAGE not in doors.links(Role.MEMBER)
    administrator = Wizarding(house, doors.app)
    administrator.admin.open(PAGE)
    administrator.to_freee(action=f"{PAGE}/freee")
    assert doors.causes() == {}


@pytest.mark.parametrize("how", ["switched off", "taken away", "other events"])
def test_a_webhook_that_smarthr_does_not_send_any_more(house: House, doors: Doors, how: str) -> None:
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    webhook_registration.register_webhook(house.ctx, KEY)
    assert doors.causes() == {}
    (there,) = house.smarthr.state.webhooks.values()
    if how == "switched off":
        there["disabled_at"] = "2026-11-11T03:00:00.000Z"
    elif how == "taken away":
        house.smarthr.state.webhooks.clear()
    else:
        there["crew_updated"] = False
    webhook_watch.check_webhooks(house.ctx)
    entry = doors.the("webhook_silent")
    assert (entry.kind, entry.owner, entry.acts) == (Kind.WEBHOOK, Role.ADMIN, (Act.SETTINGS,))
    assert entry.since is not None and PAGE in doors.links()
    webhook_registration.register_webhook(house.ctx, KEY)
    assert doors.causes() == {}


def test_a_silent_webhook_concerns_nobody_while_automatic_is_off(house: House, doors: Doors) -> None:
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    webhook_registration.register_webhook(house.ctx, KEY)
    house.smarthr.state.webhooks.clear()
    webhook_watch.check_webhooks(house.ctx)
    assert doors.causes() == {"webhook_silent": 1}
    automatic(house, Automatic.OFF)
    assert doors.causes() == {}


def test_an_item_that_the_token_may_not_read_any_more(house: House, doors: Doors) -> None:
    house.smarthr_injector.set_switches({"hidden_attributes": ["tel_number"], "hidden_attribute": "null"})
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    entry = doors.the("attribute_gone")
    assert (entry.kind, entry.owner, entry.acts) == (Kind.RIGHTS, Role.ADMIN, (Act.SETTINGS,))
    assert (entry.items, entry.since is not None) == (("phone",), True)
    assert PAGE in doors.links() and PAGE not in doors.links(Role.MEMBER)
    house.smarthr_injector.set_switches({"hidden_attributes": [], "hidden_attribute": "null"})
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert doors.causes() == {}


def test_an_item_that_was_emptied_on_purpose_is_answered(house: House, doors: Doors) -> None:
    house.smarthr_injector.set_switches({"hidden_attributes": ["tel_number"], "hidden_attribute": "null"})
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert doors.causes() == {"attribute_gone": 1}
    attributes.answer_cleared(house.ctx, "user:1", KEY, "tel_number")
    assert doors.causes() == {}


def test_a_paused_connection_is_the_operators(house: House, doors: Doors) -> None:
    pause_resume.pause(house.ctx, KEY)
    entry = doors.the("connection_paused")
    assert (entry.kind, entry.acts[0]) == (Kind.PAUSED, Act.RESUME)
    assert f"/attention/resume/{KEY}" in doors.links(Role.OPS)
    pause_resume.resume(house.ctx, KEY)
    assert doors.causes() == {}


# ── the installation ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def copy(house: House, tmp_path: Path) -> Iterator[House]:
    made = house.copied_to(tmp_path / "elsewhere")
    yield made
    made.database.dispose()


@pytest.mark.database("sqlite")  # a file is copied
def test_a_house_that_rests_says_so_and_the_original_does_not(house: House, copy: House) -> None:
    assert homekeeping.Homekeeping(copy.ctx).keep().rests
    resting = Doors(copy.ctx)
    entry = resting.the("house_rests")
    assert (entry.kind, entry.owner, entry.acts, entry.connection) == (Kind.HOUSE, Role.OPS, (), "")
    assert Doors(house.ctx).causes() == {}


# ── runs on which people decide ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("approved", [True, False])
def test_more_changes_than_a_day_may_have_unasked(house: House, doors: Doors, approved: bool) -> None:
    accounts(house, *range(5))
    before = [account_at_freee(house, nth) for nth in range(5)]
    house.run(TO_FREEE, as_of_date=now_in_japan(house), acknowledged=False)
    entry = doors.the("waits_for_decision")
    assert (entry.kind, entry.owner, entry.acts, entry.people) == (Kind.HELD, Role.MEMBER, (Act.DECIDE,), 5)
    assert f"/runs/{entry.run}/people" in doors.links(Role.MEMBER)
    assert [account_at_freee(house, nth) for nth in range(5)] == before
    if approved:
        approve_retry_cancel.approve(house.ctx, str(entry.run), by="user:1", acknowledged=True)
    else:
        approve_retry_cancel.cancel(house.ctx, str(entry.run), by="user:1")
    house.work()
    assert doors.causes() == {}
    assert (account_at_freee(house, 0) != before[0]) == approved


def test_accounts_that_wait_for_the_second_person(house: House, doors: Doors) -> None:
    people = [(f"{name}@example.invalid", Role.ADMIN) for name in ("aoki", "baba", "chiba")]
    aoki, baba, chiba = add(house, *people)
    set_two_persons(house.ctx, KEY, mode="accounts", by=chiba)
    accounts(house, 0)
    before = account_at_freee(house, 0)
    house.run(TO_FREEE, as_of_date=now_in_japan(house), started_by=aoki)
    entry = doors.the("waits_for_second_person")
    assert (entry.kind, entry.owner, entry.acts) == (Kind.SECOND_PERSON, Role.MEMBER, (Act.DECIDE,))
    assert entry.people == 1 and account_at_freee(house, 0) == before
    approve_retry_cancel.approve(house.ctx, str(entry.run), by=baba, acknowledged=True)
    house.work()
    assert doors.causes() == {}
    assert account_at_freee(house, 0) == "9000001"


def test_an_account_on_which_nobody_decided_in_time_waits_no_more(house: House, doors: Doors) -> None:
    aoki, chiba = add(house, ("aoki@example.invalid", Role.ADMIN), ("chiba@example.invalid", Role.ADMIN))
    set_two_persons(house.ctx, KEY, mode="accounts", by=chiba)
    accounts(house, 0)
    before = account_at_freee(house, 0)
    house.run(TO_FREEE, as_of_date=now_in_japan(house), started_by=aoki)
    assert doors.causes() == {"waits_for_second_person": 1}
    house.clock.turn(days=30)
    reconcile.reconcile_once(house.ctx)
    house.work()
    assert "waits_for_second_person" not in doors.causes()
    assert account_at_freee(house, 0) == before


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_difference_that_the_direction_does_not_mend(house: House, doors: Doors) -> None:
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    one = house.company.scenarios[0]
    other = {"profile_rule": {"phone1": "090", "phone2": "0000", "phone3": "1111"}}
    house.freee.edit(one.employee_id or 0, other)
    house.clock.turn(minutes=6)
    swept(house)
    entry = doors.the("only_target_changed")
    assert (entry.kind, entry.owner, entry.items, entry.number) == (Kind.ONE_WAY, Role.MEMBER, ("phone",), one.number)
    assert entry.acts == (Act.SMARTHR_IS_RIGHT, Act.FREEE_IS_RIGHT, Act.WAIVE)
    assert entry.ids == {System.SMARTHR: str(one.crew_id), System.FREEE: str(one.employee_id)}
    house.smarthr.edit(str(one.crew_id), {"tel_number": "090-0000-1111"})  # mended by hand, in either system
    house.clock.turn(minutes=6)
    swept(house)
    assert doors.causes() == {}
