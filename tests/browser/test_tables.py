"""The tables of people in a real browser: cards on a phone, sorted by keyboard, a value followed, nothing pushed
sideways, in both languages, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from tests.browser.axe import findings
from tests.browser.site import Site
from tests.browser.test_pages import sideways, too_wide, until
from tests.reach import looks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.processes

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


@pytest.mark.parametrize(
    ("size", "scheme", "locale"),
    looks(3, [(DESK, "light", "ja"), (DESK, "dark", "en"), (PHONE, "light", "ja"), (PHONE, "dark", "en")]),
    ids=["desk", "desk-dark-en", "phone", "phone-dark-en"],
)
def test_results_confirmation_values_and_history(
    site: Site,
    sign_in: Callable[..., Page],
    picture: Callable[..., Path],
    size: dict[str, int],
    scheme: str,
    locale: str,
) -> None:
    previewed = site.house.start(Direction.FREEE_TO_SMARTHR, dry_run=True, started_by="user:1")
    until(site, previewed, "is_previewed")
    finished = site.house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    until(site, finished, "is_final")
    page = sign_in(Role.MEMBER, color_scheme=scheme)
    page.set_viewport_size(size)
    with site.house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale=locale)
    name = f"tables-{size['width']}-{scheme}-{locale}"
    faults: list[str] = []

    def look(what: str) -> None:
        faults.extend(f"{what}: {found}" for found in (*findings(page), *sideways(page)))
        faults.extend([f"{what}: wider than the screen"] if too_wide(page) else [])
        picture(page, f"{name}-{what}", full_page=True)

    page.goto(f"{site.url}/runs/{finished.id}#people")
    assert page.locator("table.results tbody tr").first.get_attribute("data-state") == "failed"
    look("results")
    page.locator("table.results a[href*='/people/']").first.click()
    page.wait_for_selector("table.values")
    look("values")
    page.goto(f"{site.url}/runs/{previewed.id}/confirm")
    look("confirm")
    page.goto(f"{site.url}/runs")
    page.fill("#person-q", "0042")
    page.press("#person-q", "Enter")
    page.wait_for_url("**/history?**")
    assert page.locator("table.cards tbody tr").count() >= 1
    look("person")
    assert faults == []


def test_a_table_is_sorted_by_keyboard_and_without_scripts(site: Site, sign_in: Callable[..., Page]) -> None:
    finished = site.house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    until(site, finished, "is_final")
    page = sign_in(Role.MEMBER, java_script_enabled=False)
    page.goto(f"{site.url}/runs/{finished.id}")
    for way, first in (("ascending", "0001"), ("descending", "")):
        heading = page.locator("table.results thead th").first
        heading.locator("a.sort").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(f"table.results thead th[aria-sort={way}]")
        numbers = page.locator("table.results tbody th .number").all_inner_texts()
        assert not first or numbers[0] == first
    page.set_viewport_size(PHONE)
    page.select_option("#sort", "number")
    page.click(".sort-form button")
    page.wait_for_url("**sort=number**")
    assert page.locator("table.results tbody th .number").first.inner_text() == "0001"
