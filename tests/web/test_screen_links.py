"""紐付け on the screen: questions with both people side by side, decisions, the table, joining by hand, roles."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.practice.staff.practice_company import PracticeCompany
from app.storage.enums import UnlinkReason
from tests.house import KEY, House
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import somebody
from tests.web.visitor import Visitor

pytestmark = pytest.mark.reach("test")  # long journeys

Enter = Callable[[Role], Visitor]
TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Four people; the first one has another number in SmartHR than in freee, so somebody has to be asked."""
    house = open_practice(only(company, "equal", most=4))
    house.smarthr.edit(str(house.company.scenarios[0].crew_id), {"emp_code": "9901"})
    house.run(TO_FREEE)
    return house


def asked_pair(house: House) -> dict[str, str]:
    scenario = house.company.scenarios[0]
    return {"smarthr": str(scenario.crew_id), "freee": str(scenario.employee_id)}


def address(house: House, page: str = "pair", **ids: str) -> str:
    asked = ids or asked_pair(house)
    return f"/links/{KEY}/{page}?" + "&".join(f"{name}={value}" for name, value in asked.items())


def audit(house: House) -> list[str]:
    with house.ctx.unit_of_work() as uow:
        return [entry.action for entry in uow.audit.page() if entry.subject.startswith("link:")]


def test_the_only_connection_is_opened_at_once_and_shows_the_question(house: House, enter: Enter) -> None:
    member = enter(Role.MEMBER)
    member.open("/links")
    crew = house.smarthr.crew(asked_pair(house)["smarthr"])
    assert f"{crew['last_name']} {crew['first_name']}" in member.words and "9901" in member.words
    assert "番号は一致しませんが、同じ人と思われる従業員が反映先にいます。" in member.words
    assert address(house, "compare").replace("&", "&amp;") in member.text


def test_both_people_stand_side_by_side_with_what_differs(house: House, enter: Enter) -> None:
    member = enter(Role.MEMBER)
    member.open(address(house))
    crew = house.smarthr.crew(asked_pair(house)["smarthr"])
    assert member.words.count(f"{crew['last_name_yomi']} {crew['first_name_yomi']}") == 2
    assert member.text.count('data-sameness="different"') == 1 and "≠ 相違" in member.words
    assert "なし（在職中）" in member.words
    fragment = member.open(address(house, "compare"))
    assert "<html" not in fragment and "data-live" not in fragment and "同じ人として紐付ける" in fragment


def test_two_whose_own_marks_differ_are_not_offered_as_one_person_first(house: House, enter: Enter) -> None:
    member, pair = enter(Role.MEMBER), asked_pair(house)
    join = re.compile(r'<button( class="primary")? type="submit" name="decision" value="join">')
    found = join.search(member.open(address(house, "compare")))
    assert found and found[1], "only the numbers differ"
    house.smarthr.edit(pair["smarthr"], {"birth_at": "1999-09-09"})
    found = join.search(member.open(address(house, "compare")))
    assert found and not found[1]


def test_linked_from_the_page_the_question_is_gone_and_nothing_is_written(house: House, enter: Enter) -> None:
    member, writes = enter(Role.MEMBER), house.writes()
    member.open(address(house))
    member.send("/decide", press=("decision", "join"))
    assert "紐付けました。" in member.words and "確認が必要な紐付けはありません。" in member.words
    assert (house.writes(), audit(house)) == (writes, ["link_joined"])


def test_told_apart_they_are_not_asked_about(house: House, enter: Enter) -> None:
    member = enter(Role.MEMBER)
    member.open(address(house))
    member.send("/decide", press=("decision", "apart"))
    assert "別人として扱います。" in member.words and "確認が必要な紐付けはありません。" in member.words
    member.open(address(house))
    assert "別人と決められています" in member.words and "別人として扱う" not in member.words


def test_a_link_is_ended_from_the_table(house: House, enter: Enter) -> None:
    crew, employee = somebody(house)
    member = enter(Role.MEMBER)
    page = member.open(f"/links/{KEY}/all")
    assert page.count("<tr>") == 4 and "紐付いている従業員は3組です。" in member.words  # a heading and three pairs
    member.open(address(house, smarthr=crew, freee=str(employee)))
    member.send("/decide", press=("decision", "cut"))
    assert "紐付けを解除しました。" in member.words and "紐付いている従業員は2組です。" in member.words
    assert audit(house) == ["link_cut"]


def test_the_table_is_searched_by_number(house: House, enter: Enter) -> None:
    member = enter(Role.VIEWER)
    number = house.smarthr.crew(somebody(house)[0])["emp_code"]
    member.open(f"/links/{KEY}/all")
    member.send("/all", q=number)
    assert member.text.count("<tr>") == 2 and number in member.words
    member.send("/all", q="9901")
    assert "紐付いている従業員の中に、この番号・氏名・カナで始まる人はいません。" in member.words


def test_a_broken_pair_waits_first_and_can_be_let_go(house: House, enter: Enter) -> None:
    crew, employee = somebody(house)
    house.freee.remove(employee)
    house.smarthr.edit(crew, {"first_name": "新次郎"})
    with house.ctx.unit_of_work() as uow:
        link = next(each for each in uow.links.for_connection(house.connection.id) if each.smarthr_id == crew)
        uow.links.unlink(link.id, why=UnlinkReason.FREEE_DELETED, now=house.clock.now())
    member = enter(Role.MEMBER)
    member.open(f"/links/{KEY}")
    assert "freee人事労務で削除されたことを" in member.words
    member.open(address(house, smarthr=crew, freee=str(employee)))
    assert "freee人事労務に、この従業員はもういません。" in member.words and "同じ人として紐付ける" not in member.words
    member.send("/decide", press=("decision", "release"))
    assert "手放しました。" in member.words and "削除で切れた紐付け" not in member.words
    assert audit(house) == ["link_released"]


def test_people_are_joined_by_hand_by_their_numbers(house: House, enter: Enter) -> None:
    member = enter(Role.MEMBER)
    member.open(f"/links/{KEY}/join")
    number = house.freee.employee(int(asked_pair(house)["freee"]))["num"]
    member.send("/join", smarthr_q="9901", freee_q=number)
    assert address(house, "compare").replace("&", "&amp;") in member.text
    member.send("/join", smarthr_q="9901", freee_q="ZZZ")
    assert "freee人事労務に、この番号・氏名・カナで始まる従業員は見つかりません。" in member.words


def test_a_vendor_that_is_away_is_told_on_the_page(house: House, enter: Enter) -> None:
    member = enter(Role.MEMBER)
    house.servers[1].stop()
    member.open(address(house))
    assert "freee人事労務から読み取れませんでした。" in member.words and "同じ人として紐付ける" not in member.words


def test_who_may_look_and_who_may_decide(house: House, enter: Enter) -> None:
    viewer, ops = enter(Role.VIEWER), enter(Role.OPS)
    viewer.open(f"/links/{KEY}")
    viewer.open(address(house))
    assert "decide" not in viewer.text and "比較" in viewer.words
    sent = {**asked_pair(house), "decision": "join", "csrf_token": viewer.token}
    assert viewer.client.post(f"/links/{KEY}/decide", data=sent).status_code == 403
    for page in (f"/links/{KEY}", f"/links/{KEY}/all", address(house), address(house, "compare")):
        ops.open(page, status=403)
    viewer.open(f"/links/{KEY}/join", status=403)
    assert audit(house) == []


def test_what_nobody_offers_is_refused(house: House, enter: Enter) -> None:
    admin = enter(Role.ADMIN)
    admin.open("/links/nobody", status=404)
    admin.open(address(house))
    assert admin.send("/decide", press=("decision", "delete")).status_code == 422
    assert audit(house) == []
