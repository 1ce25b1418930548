"""The result tells what was chosen, and an undo is called one from its button to its mail: in a real browser, on
a wide screen and on a telephone, in both languages, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from tests.browser.axe import findings
from tests.browser.conftest import WIDE
from tests.browser.site import Site
from tests.browser.test_flow import approve, choose_direction, go_to_the_plan, read_both_sides, tick_the_first, words_of
from tests.browser.test_pages import too_wide
from tests.reach import looks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.processes

PHONE = {"width": 390, "height": 844}
WORDS = {
    "ja": {
        "beside": "選択していない",
        "undo": "元に戻す",
        "title": "元に戻す: SmartHRからfreee人事労務へ",
        "question": "従業員の値を元に戻しますか？",
        "partly": "一部失敗",
        "sync": "同期",
    },
    "en": {
        "beside": "who were not chosen",
        "undo": "Undo",
        "title": "Undo: SmartHR to freee HR",
        "question": "Undo the changes of these employees?",
        "partly": "Partly failed",
        "sync": "Sync",
    },
}


@pytest.mark.parametrize(
    ("size", "scheme", "locale"),
    looks(0, [(WIDE, "light", "ja"), (PHONE, "dark", "ja"), (PHONE, "light", "en"), (WIDE, "dark", "en")]),
)
def test_one_is_chosen_written_and_put_back(
    site: Site,
    sign_in: Callable[..., Page],
    picture: Callable[..., Path],
    size: dict[str, int],
    scheme: str,
    locale: str,
) -> None:
    words, place = WORDS[locale], f"{size['width']}-{locale}"
    page = sign_in(Role.MEMBER, color_scheme=scheme)
    page.set_viewport_size(size)
    with site.house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale=locale)

    def looks_right(name: str) -> None:
        picture(page, f"{name}-{place}")
        assert findings(page) == [], name
        assert not too_wide(page), name

    choose_direction(page, site, Direction.SMARTHR_TO_FREEE)
    read_both_sides(page)
    tick_the_first(page)
    go_to_the_plan(page)
    approve(page)
    shown = words_of(page)
    assert words["beside"] in shown and words["partly"] not in shown
    assert page.locator("table.results tbody tr").count() == 1
    looks_right("result")
    page.click("p.beside a")
    page.wait_for_url("**beside=1**")
    assert page.locator("table.results tbody tr").count() > 1
    looks_right("beside")
    page.go_back()

    page.click(f"a.button:has-text('{words['undo']}')")
    looks_right("undo-ask")
    page.click("main form button.primary")
    page.wait_for_selector("table.preview-people", timeout=90_000)
    looks_right("undo-people")
    go_to_the_plan(page)
    button = page.locator("button.preview-sync")
    assert button.inner_text() == words["undo"]
    page.keyboard.press("Escape")
    button.focus()
    page.keyboard.press("Enter")
    assert words["question"] in page.inner_text("dialog#question")
    looks_right("undo-question")
    page.keyboard.press("Escape")
    approve(page)
    assert page.inner_text("h1") == words["title"] and page.title().startswith(words["title"])
    looks_right("undo-result")
    page.goto(f"{site.url}/runs")
    assert words["undo"] in page.inner_text("tbody")
    looks_right("history")
    assert any("元に戻しました" in mail.subject for mail in site.house.postbox.mails)
