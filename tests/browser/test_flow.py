"""The way HR people know, in a real browser against the practice company: both directions, a failure mended and
repeated, the guard, undo, English. The pictures of the README are made here (--screenshots)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from tests.browser.axe import findings
from tests.browser.site import Site
from tests.house import KEY
from tests.reach import thinned

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.processes

Picture = Callable[..., Path]
SignIn = Callable[..., "Page"]
NOT_ACCEPTED = "が値を受け付けませんでした。"
REFUSED = {"status_code": 400, "errors": [{"type": "validation", "messages": ["値が正しくありません"]}]}
MANY = 12
"""People who retire at once: more than the guard lets through unasked."""


def words_of(page: Page) -> str:
    page.wait_for_load_state()  # a press may have led elsewhere
    return page.inner_text("main")


def choose_direction(page: Page, site: Site, direction: Direction) -> None:
    page.goto(site.url)
    page.click(f"a[href='/sync/{KEY}/{direction.value}']")


def read_both_sides(page: Page) -> None:
    """From the date to the list of people."""
    page.click("main form button.primary")
    page.wait_for_selector("table.preview-people, .empty")


def different(page: Page) -> int:
    """How many of the list differ and are on both sides."""
    return int(page.locator("nav .chips a[href*='show=changed'] b").inner_text())


def tick_the_first(page: Page) -> None:
    """And nobody else."""
    page.click("button[name=all][value=off]")
    page.wait_for_selector("table.preview-people")
    with page.expect_response(lambda answer: answer.url.endswith("/choose")):
        page.locator("table.preview-people input[name=chosen]").first.check()


def go_to_the_plan(page: Page) -> None:
    page.click("button[name=go]")
    page.wait_for_selector("button.preview-sync")


def approve(page: Page) -> None:
    """Through the dialog, with the tick that a large change asks for, to the end of the run."""
    page.click("button.preview-sync")
    page.wait_for_selector("dialog#question[open]")
    tick = page.locator("dialog#question input[name=acknowledged]")
    if tick.count():
        tick.check()
    page.click("dialog#question button.primary")
    page.wait_for_selector("#people", timeout=90_000)


@pytest.mark.parametrize("direction", thinned(2, Direction), ids=lambda each: each.value)
def test_a_sync_from_the_dashboard_to_its_result(
    site: Site, sign_in: SignIn, picture: Picture, direction: Direction
) -> None:
    def shown(name: str) -> None:
        if direction is Direction.SMARTHR_TO_FREEE:
            picture(page, name)

    page = sign_in(Role.MEMBER)
    assert "freee人事労務からSmartHRへ" in words_of(page) and "SmartHRからfreee人事労務へ" in words_of(page)
    choose_direction(page, site, direction)
    assert page.input_value("#as_of_date") == site.house.today.isoformat()
    shown("start")
    read_both_sides(page)
    assert site.house.writes() == 0
    shown("people")
    assert findings(page) == []
    go_to_the_plan(page)
    page.locator("table.results details.row-more:not([open]) > summary").first.click()
    shown("confirm")
    assert findings(page) == []
    assert site.house.writes() == 0
    page.click("button.preview-sync")
    assert "従業員を同期しますか？" in page.inner_text("dialog#question")
    shown("question")
    assert findings(page) == []
    page.keyboard.press("Escape")
    approve(page)
    assert "成功" in words_of(page) and "実行結果" in words_of(page)
    shown("run")
    assert findings(page) == []
    assert site.house.writes() > 0
    assert any(direction.source.label in mail.subject for mail in site.house.postbox.mails)
    page.goto(site.url)
    shown("home")


def test_only_who_is_ticked_is_written(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.MEMBER)
    choose_direction(page, site, Direction.SMARTHR_TO_FREEE)
    read_both_sides(page)
    tick_the_first(page)
    go_to_the_plan(page)
    assert page.locator("table.results > tbody > tr").count() == 1
    approve(page)
    writes = [each for each in site.house.freee_injector.requests if each.method != "GET" and "/employees" in each.path]
    assert len({each.path.split("/employees/")[-1].split("/")[0] for each in writes}) == 1


def test_a_failure_is_mended_at_its_place_and_repeated(site: Site, sign_in: SignIn, picture: Picture) -> None:
    site.house.freee_injector.fault(method="PUT", path="/profile_rule$", status=400, body=REFUSED)
    page = sign_in(Role.MEMBER)
    choose_direction(page, site, Direction.SMARTHR_TO_FREEE)
    read_both_sides(page)
    go_to_the_plan(page)
    approve(page)
    assert NOT_ACCEPTED in words_of(page)
    assert findings(page) == []
    picture(page, "failure")
    first = page.url
    site.house.freee_injector.clear_faults()
    page.click("button[data-opens=ask-retry]")
    page.click("dialog#ask-retry button.primary")
    page.wait_for_function("first => location.href !== first", arg=first)
    page.wait_for_selector("table.preview-people")  # what was previewed is repeated with a preview
    go_to_the_plan(page)
    approve(page)
    assert NOT_ACCEPTED not in words_of(page)
    assert "成功" in words_of(page)


def test_too_much_at_once_waits_until_somebody_says_it_is_meant(site: Site, sign_in: SignIn, picture: Picture) -> None:
    for crew in site.house.smarthr.crews[:MANY]:
        site.house.smarthr.edit(crew["id"], {"resigned_at": "2030-12-31"})
    page = sign_in(Role.MEMBER)
    choose_direction(page, site, Direction.SMARTHR_TO_FREEE)
    read_both_sides(page)
    go_to_the_plan(page)
    assert findings(page) == []
    picture(page, "guard")
    page.click("button.preview-sync")
    page.click("dialog#question button.primary")  # without the tick the browser itself keeps the dialog open
    assert page.locator("dialog#question[open]").count() == 1
    assert site.house.writes() == 0
    page.check("dialog#question input[name=acknowledged]")
    page.click("dialog#question button.primary")
    page.wait_for_selector("#people", timeout=90_000)
    assert site.house.writes() > 0


def test_a_run_is_taken_back(site: Site, sign_in: SignIn, picture: Picture) -> None:
    page = sign_in(Role.MEMBER)
    choose_direction(page, site, Direction.SMARTHR_TO_FREEE)
    read_both_sides(page)
    before = different(page)
    go_to_the_plan(page)
    approve(page)
    page.click("main a[href$='/undo']")
    page.wait_for_url("**/undo")
    picture(page, "undo")
    assert findings(page) == []
    page.click("main form button.primary, main form button.danger")
    page.wait_for_selector("table.preview-people, .empty")
    go_to_the_plan(page)
    approve(page)
    choose_direction(page, site, Direction.SMARTHR_TO_FREEE)
    read_both_sides(page)
    assert different(page) >= before - 1 > 10  # one value was blank before, and freee lets nobody empty it


def test_in_english(site: Site, sign_in: SignIn, picture: Picture) -> None:
    page = sign_in(Role.ADMIN)
    page.goto(f"{site.url}/account")
    page.select_option("#locale", "en")
    page.click("form:has(#locale) button[type=submit]")
    page.goto(site.url)
    assert page.get_attribute("html", "lang") == "en"
    assert "SmartHR to freee HR" in words_of(page)
    picture(page, "home-english")
    choose_direction(page, site, Direction.SMARTHR_TO_FREEE)
    read_both_sides(page)
    assert findings(page) == []
