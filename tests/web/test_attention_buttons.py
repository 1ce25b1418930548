"""The buttons of 要対応 by what happens at the vendors afterwards: once, however often they are pressed, only for those
who may, and kindly told where somebody else has been faster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction, Trigger
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.queries.attention import see_attention
from app.use_cases.queries.attention_views import Act, Entry
from app.use_cases.queries.history import list_runs
from tests.house import KEY, House
from tests.listening import automatic, now_in_japan, swept
from tests.use_cases.test_attention_state import break_, crew, employee, surveyed
from tests.use_cases.test_job import only
from tests.web.application import application_on
from tests.web.visitor import Visitor, visitor

pytestmark = pytest.mark.reach("test")  # long journeys

Enter = Callable[[Role], Visitor]
TO_FREEE = Direction.SMARTHR_TO_FREEE
GONE = "対応は、もう必要ありません。"
BUTTONS = ("again", "again_all", "check", "smarthr_is_right", "freee_is_right", "waive", "take_up")


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Four pairs that are equal, and linked."""
    house = open_practice(only(company, "equal", most=4))
    house.run(TO_FREEE)
    return house


def entries(house: House) -> list[Entry]:
    return [entry for group in see_attention(house.ctx).groups for entry in group.entries]


def the(house: House) -> Entry:
    (entry,) = entries(house)
    return entry


def press(who: Visitor, act: str, **sent: Any) -> str:
    """Press a button of the list as it stands now; the words of where it leads."""
    who.open("/attention")
    who.send("/attention", press=("act", act), **sent)
    return who.words


def forced(who: Visitor, act: str, **sent: Any) -> int:
    """Send what the button would, without one; the status of the answer."""
    who.open("/account")
    given = {"csrf_token": who.token, "act": act, **sent}
    return who.client.post("/attention", data=given).status_code


def phone_in_smarthr(house: House, nth: int = 0) -> str:
    return str(house.smarthr.crew(crew(house, nth))["tel_number"]).replace("-", "")


def phone_in_freee(house: House, nth: int = 0) -> str:
    on = now_in_japan(house)
    rule = house.freee.employee(employee(house, nth), month=(on.year, on.month))["profile_rule"]
    return "".join(str(rule[each]) for each in ("phone1", "phone2", "phone3"))


def mended(house: House, nth: int = 0, number: str = "080-0000-7777") -> None:
    house.smarthr.edit(crew(house, nth), {"tel_number": number})


def runs(house: House) -> int:
    with house.ctx.unit_of_work().reading() as uow:
        return len(uow.runs.page(after=None, limit=200))


def audited(house: House, action: str) -> int:
    with house.ctx.unit_of_work().reading() as uow:
        return sum(row.action == action for row in uow.audit.page(limit=500))


@pytest.fixture
def broken(house: House) -> House:
    """One whose number freee cannot take, and who was mended since."""
    break_(house)
    house.run(TO_FREEE)
    mended(house)
    return house


@pytest.fixture
def apart(house: House) -> House:
    """One whose telephone number was changed in both systems at once."""
    automatic(house, Automatic.BOTH)
    house.smarthr.edit(crew(house), {"tel_number": "080-0000-1111"})
    on = now_in_japan(house)
    other = {"profile_rule": {"phone1": "090", "phone2": "0000", "phone3": "2222"}}
    house.freee.edit(employee(house), other, pay_month=(on.year, on.month))
    house.clock.turn(minutes=6)
    swept(house)
    assert (the(house).code, the(house).items) == ("conflict", ("phone",))
    return house


# ── once more ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mended_and_sent_once_more_however_often_it_is_pressed(broken: House, enter: Enter) -> None:
    member, entry, before = enter(Role.MEMBER), the(broken).id, runs(broken)
    assert "もう一度同期しています。" in press(member, "again", entry=entry)
    assert "すでに同期しています。" in press(member, "again", entry=entry)
    surveyed(broken)
    assert "すでに同期しています。" in press(enter(Role.ADMIN), "again", entry=entry)
    broken.work()
    assert runs(broken) == before + 1
    assert phone_in_freee(broken) == "08000007777"
    assert broken.freee_injector.calls("PUT", "/profile_rule") == 1
    assert entries(broken) == []


def test_pressed_again_when_the_first_run_has_not_helped_it_is_a_new_one(house: House, enter: Enter) -> None:
    break_(house)
    house.run(TO_FREEE)
    member, before = enter(Role.MEMBER), runs(house)
    press(member, "again", entry=the(house).id)
    house.work()
    mended(house)
    assert "もう一度同期しています。" in press(member, "again", entry=the(house).id)
    house.work()
    assert runs(house) == before + 2 and phone_in_freee(house) == "08000007777"


def test_everybody_of_a_cause_once_more_but_whom_somebody_left_for_now(house: House, enter: Enter) -> None:
    for nth in range(3):
        break_(house, nth)
    house.run(TO_FREEE)
    was = phone_in_freee(house, 2)
    left = next(entry for entry in entries(house) if entry.number == house.company.scenarios[2].number)
    member, before = enter(Role.MEMBER), runs(house)
    until = (today_in_japan(house.clock.now()) + timedelta(days=3)).isoformat()
    press(member, "waive", entry=left.id, reason="確認中", until=until)
    for nth in range(3):
        mended(house, nth, f"080-0000-700{nth}")
    everybody = {"cause": "foreign_phone", "direction": TO_FREEE.value}
    press(member, "again_all", **everybody)
    press(member, "again_all", **everybody)
    house.work()
    assert runs(house) == before + 1
    assert [phone_in_freee(house, nth) for nth in range(3)] == ["08000007000", "08000007001", was]
    assert house.freee_injector.calls("PUT", "/profile_rule") == 2
    assert GONE in _told_by_an_old_page(member, "again_all", **everybody)


def _told_by_an_old_page(who: Visitor, act: str, **sent: Any) -> str:
    """As from a page that was opened before."""
    who.open("/account")
    given = {"csrf_token": who.token, "act": act, **sent}
    who.page = who.client.post("/attention", data=given, follow_redirects=True)
    return who.words


# ── this side is right ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("act", "right"), [("smarthr_is_right", "08000001111"), ("freee_is_right", "09000002222")])
def test_the_side_that_is_right_stands_in_both_systems(apart: House, enter: Enter, act: str, right: str) -> None:
    member, entry, before, writes = enter(Role.MEMBER), the(apart).id, runs(apart), apart.writes()
    press(member, act, entry=entry)
    press(member, act, entry=entry)
    apart.work()
    assert (phone_in_smarthr(apart), phone_in_freee(apart)) == (right, right)
    assert (runs(apart), apart.writes()) == (before + 1, writes + 1)
    assert entries(apart) == []
    assert GONE in _told_by_an_old_page(member, act, entry=entry)
    apart.work()
    assert (runs(apart), apart.writes()) == (before + 1, writes + 1)


# ── compare and decide ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def asked(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Three people; the first one has another number in SmartHR than in freee, so somebody has to be asked."""
    house = open_practice(only(company, "equal", most=3))
    house.smarthr.edit(crew(house), {"emp_code": "9901"})
    house.run(TO_FREEE)
    return house


def _compare(house: House, who: Visitor) -> str:
    """Open the comparison from the entry's button; its address."""
    entry = the(house)
    assert Act.COMPARE in entry.acts
    text = who.open("/attention")
    address = f"/links/{KEY}/pair?smarthr={crew(house)}&amp;freee={employee(house)}"
    assert f'href="{address}"' in text
    return address.replace("&amp;", "&")


@pytest.mark.parametrize("decision", ["join", "apart"])
def test_the_same_person_or_another_one(asked: House, decision: str) -> None:
    app = application_on(asked.ctx)
    member = visitor(asked.ctx, app.test_client(), Role.MEMBER)
    writes = asked.writes()
    address = _compare(asked, member)
    member.open(address)
    member.send("/decide", press=("decision", decision))
    assert entries(asked) == [] and asked.writes() == writes, "the decision itself writes nothing"
    member.open(address)
    form = {"csrf_token": member.token, "smarthr": crew(asked), "freee": str(employee(asked)), "decision": decision}
    member.client.post(f"/links/{KEY}/decide", data=form)
    asked.run(TO_FREEE)
    had = [str(each) for each in asked.freee.ids_by_num("9901")]
    if decision == "join":
        assert had == [str(employee(asked))], "the same employee has the number now, and nobody was created"
    else:
        assert len(had) == 1 and had != [str(employee(asked))], "somebody new"
    assert audited(asked, "link_joined" if decision == "join" else "people_kept_apart") == 1


def test_a_viewer_decides_nothing(asked: House) -> None:
    viewer = visitor(asked.ctx, application_on(asked.ctx).test_client(), Role.VIEWER)
    viewer.open("/account")
    for decision in ("join", "apart"):
        form = {"csrf_token": viewer.token, "smarthr": crew(asked), "freee": str(employee(asked)), "decision": decision}
        assert viewer.client.post(f"/links/{KEY}/decide", data=form).status_code == 403
    assert len(entries(asked)) == 1


# ── not now ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_left_for_now_nothing_is_written_and_it_is_told_once(apart: House, enter: Enter) -> None:
    member, entry, writes = enter(Role.MEMBER), the(apart).id, apart.writes()
    until = (today_in_japan(apart.clock.now()) + timedelta(days=3)).isoformat()
    for _ in range(2):
        _told_by_an_old_page(member, "waive", entry=entry, reason="本人に確認中", until=until)
    assert (entries(apart), see_attention(apart.ctx).waived, audited(apart, "attention_waived")) == ([], 1, 1)
    apart.clock.turn(minutes=6)
    swept(apart)
    assert (entries(apart), apart.writes()) == ([], writes), "the same cause, found again"
    for _ in range(2):
        _told_by_an_old_page(member, "take_up", entry=entry)
    assert (len(entries(apart)), audited(apart, "attention_taken_up")) == (1, 1)
    press(member, "smarthr_is_right", entry=entry)
    apart.work()
    assert GONE in _told_by_an_old_page(member, "waive", entry=entry, reason="本人に確認中", until=until)


# ── who may ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPS], ids=str)
def test_who_may_not_press_changes_nothing(apart: House, enter: Enter, role: Role) -> None:
    somebody, entry, before, writes = enter(role), the(apart).id, runs(apart), apart.writes()
    until = (today_in_japan(apart.clock.now()) + timedelta(days=3)).isoformat()
    sent = {"entry": entry, "cause": "conflict", "direction": TO_FREEE.value, "reason": "確認中", "until": until}
    assert [forced(somebody, act, **sent) for act in BUTTONS] == [403] * len(BUTTONS)
    apart.work()
    assert (runs(apart), apart.writes(), the(apart).id) == (before, writes, entry)


# ── look now ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_look_from_the_command_line_finds_the_mended_and_writes_nothing(broken: House) -> None:
    command = application_on(broken.ctx).test_cli_runner()
    writes = broken.writes()
    told = command.invoke(args=["attention", "look"])
    assert told.exit_code == 0 and "何も書き込みません。" in told.stdout
    broken.work()
    assert the(broken).mended == ("phone",) and broken.writes() == writes
    assert "直ったようです" in command.invoke(args=["attention", "list"]).stdout


# ── why somebody was tried again ──────────────────────────────────────────────────────────────────────────────────────


def test_a_run_says_why_it_has_tried_somebody_again(broken: House, enter: Enter) -> None:
    automatic(broken, Automatic.SMARTHR_TO_FREEE)
    broken.clock.turn(minutes=6)
    swept(broken)
    assert entries(broken) == [] and phone_in_freee(broken) == "08000007777"
    (run,) = (each for each in list_runs(broken.ctx, limit=5).items if each.trigger is Trigger.SCHEDULE)
    member = enter(Role.MEMBER)
    member.open(f"/runs/{run.id}")
    assert "直されていたので、1 人を自動でもう一度同期しました（直された項目: 電話番号）。" in member.words
    key = {"Authorization": f"Bearer {add_key(broken.ctx, '連携', [Scope.RUNS_READ])}"}
    answer = member.client.get(f"/api/v1/runs/{run.id}", headers=key).get_json()
    assert (answer["mended_people"], answer["mended"]) == (1, ["phone"])
    other = list_runs(broken.ctx, limit=50).items[-1]
    member.open(f"/runs/{other.id}")
    assert "直されていた" not in member.words
    assert member.client.get(f"/api/v1/runs/{other.id}", headers=key).get_json()["mended"] == []
