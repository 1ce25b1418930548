"""要対応 in a real browser: from the sign-in to what must be done, from a failure to mended and gone from the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.use_cases.queries.attention import see_attention
from tests.browser.axe import findings
from tests.browser.conftest import WIDE
from tests.browser.site import Site
from tests.browser.test_pages import too_wide, until
from tests.reach import looks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.processes

PHONE = {"width": 390, "height": 844}
HIRED_LATE = "0069"
"""Somebody of the practice company without 入社年月日."""


def finished(site: Site) -> None:
    until(site, site.house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1"), "is_final")


def test_from_home_to_mended_and_gone_with_the_keyboard_only(site: Site, sign_in: Callable[..., Page]) -> None:
    finished(site)
    before = see_attention(site.house.ctx).total
    page = sign_in(Role.MEMBER)
    assert page.locator("main h2").first.inner_text() == f"{before}件、対応が必要です。"
    page.get_by_role("link", name="要対応を開く").press("Enter")
    page.wait_for_url(f"{site.url}/attention")
    mine = page.locator(".attention-entry", has_text=HIRED_LATE)
    assert mine.count() == 1
    site.house.smarthr.edit(site.house.smarthr.ids_by_number(HIRED_LATE)[0], {"entered_at": "2026-04-01"})
    button = mine.get_by_role("button", name="直した・もう一度同期する")
    button.focus()
    button.press("Enter")
    page.wait_for_url(f"{site.url}/runs/*")
    page.get_by_text("成功", exact=True).first.wait_for()
    page.goto(f"{site.url}/attention")
    assert page.locator(".attention-entry", has_text=HIRED_LATE).count() == 0
    assert page.locator("main").inner_text().count(f"{before - 1}件、対応が必要です。") == 1


def test_while_automatic_is_off_a_check_offers_to_send_again(site: Site, sign_in: Callable[..., Page]) -> None:
    finished(site)
    page = sign_in(Role.MEMBER)
    site.house.smarthr.edit(site.house.smarthr.ids_by_number(HIRED_LATE)[0], {"entered_at": "2026-04-01"})
    page.goto(f"{site.url}/attention")
    page.get_by_role("button", name="今すぐ確認").press("Enter")
    page.get_by_text("確認しています。").wait_for()
    site.house.work()
    page.goto(f"{site.url}/attention")
    mine = page.locator(".attention-entry", has_text=HIRED_LATE)
    assert "直ったようです（直された項目: 入社年月日）。" in mine.inner_text()
    page.set_viewport_size(PHONE)
    assert not too_wide(page)
    assert findings(page) == []
    page.set_viewport_size(WIDE)
    mine.get_by_role("button", name="もう一度送る").press("Enter")
    page.wait_for_url(f"{site.url}/runs/*")
    page.get_by_text("成功", exact=True).first.wait_for()
    page.goto(f"{site.url}/attention")
    assert page.locator(".attention-entry", has_text=HIRED_LATE).count() == 0


def test_left_for_now_with_a_reason_and_taken_up_again(site: Site, sign_in: Callable[..., Page]) -> None:
    finished(site)
    before = see_attention(site.house.ctx).total
    page = sign_in(Role.MEMBER)
    page.goto(f"{site.url}/attention")
    mine = page.locator(".attention-entry", has_text=HIRED_LATE)
    mine.locator("summary").press("Enter")
    mine.get_by_label("見送る理由").fill("本人に確認中")
    mine.get_by_role("button", name="見送る", exact=True).press("Enter")
    page.get_by_text("見送りました。").wait_for()
    assert page.locator(".attention-entry", has_text=HIRED_LATE).count() == 0
    page.get_by_role("link", name="見送ったものを見る").click()
    page.wait_for_load_state()
    assert "本人に確認中" in page.locator("main").inner_text()
    page.get_by_role("button", name="見送りをやめる").click()
    page.get_by_text("要対応に戻しました。").wait_for()
    assert see_attention(site.house.ctx).total == before


@pytest.mark.parametrize(
    ("size", "scheme", "locale"),
    looks(1, [(WIDE, "light", "ja"), (PHONE, "dark", "ja"), (PHONE, "light", "en"), (WIDE, "dark", "en")]),
)
def test_list_and_home_on_every_screen(
    site: Site,
    sign_in: Callable[..., Page],
    size: dict[str, int],
    scheme: str,
    locale: str,
    picture: Callable[..., Path],
) -> None:
    finished(site)
    page = sign_in(Role.ADMIN, color_scheme=scheme)
    with site.house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale=locale)
    page.set_viewport_size(size)
    for address, name in (("/", "home"), ("/attention", "attention"), ("/attention/people?cause=E8", "cause")):
        page.goto(site.url + address)
        assert findings(page) == []
        assert not too_wide(page)
        if (size, locale) == (WIDE, "ja") and name == "attention":
            picture(page, name)
        else:
            picture(page, f"{name}-{size['width']}-{scheme}-{locale}")
