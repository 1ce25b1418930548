"""The beginning of the automatic sync on the pages, in the API and on the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.practice.staff.practice_company import PracticeCompany
from tests.beginnings import compared, marks, previews, switch
from tests.house import KEY, House
from tests.listening import now_in_japan
from tests.use_cases.test_job import only
from tests.web.application import application_on
from tests.web.test_cli_access import runner
from tests.web.visitor import Visitor, visitor

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def waiting(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """One of two people differs; the automatic sync was switched on and compared."""
    house = open_practice(only(company, "equal", most=2))
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.smarthr.edit(house.smarthr.crews[0]["id"], {"first_name": "新次郎"})
    switch(house, "smarthr_to_freee")
    compared(house)
    return house


@pytest.fixture
def admin(waiting: House) -> Visitor:
    return visitor(waiting.ctx, application_on(waiting.ctx).test_client(), Role.ADMIN)


def test_home_and_settings_lead_to_the_preview(waiting: House, admin: Visitor) -> None:
    address = f"/runs/{previews(waiting)[TO_FREEE]}/people"
    for page in ("/", f"/connections/{KEY}"):
        admin.open(page)
        assert "SmartHRからfreee人事労務への自動同期は、確認してから始まります。" in admin.words, page
        assert previews(waiting)[TO_FREEE] in admin.text, address
    assert "自動同期をオンにしたためです。" in admin.words
    admin.open(address)
    assert "自動同期を始める前の確認です。" in admin.words


def test_the_preview_says_what_its_approval_begins(waiting: House, admin: Visitor) -> None:
    admin.open(f"/runs/{previews(waiting)[TO_FREEE]}/confirm")
    assert "承認すると、SmartHRからfreee人事労務への自動同期が始まります。" in admin.words


def test_look_now_makes_the_preview_anew(waiting: House, admin: Visitor) -> None:
    old = previews(waiting)[TO_FREEE]
    admin.open(f"/connections/{KEY}")
    admin.send(f"/connections/{KEY}/beginning")
    waiting.work()
    compared(waiting)
    assert previews(waiting)[TO_FREEE] != old
    admin.open(f"/runs/{old}")
    assert "新しい確認に置き換わったため、この確認は取り消しました。" in admin.words


def test_the_command_line_tells_how_to_approve(waiting: House) -> None:
    call: Callable[..., Result] = runner(application_on(waiting.ctx))
    shown = call("connection", "show", KEY)
    run = previews(waiting)[TO_FREEE]
    assert f"flask sync approve {run}" in shown.stdout and "自動同期をオンにしたためです。" in shown.stdout
    assert call("connection", "look-now", KEY).exit_code == 0
    waiting.work()
    compared(waiting)
    again = previews(waiting)[TO_FREEE]
    assert again != run
    approved = call("sync", "approve", again)
    assert approved.exit_code == 0, approved.output
    waiting.work()
    assert marks(waiting) == {}
    assert call("connection", "look-now", KEY).exit_code == 2
