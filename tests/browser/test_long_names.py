"""Names as long as the products allow, of a connection, a user and an employee: no page grows wider than the screen,
no label leaves its box, and the present entry of the menu stays in view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.use_cases.accounts.api_keys import add_user
from tests.browser.axe import findings
from tests.browser.conftest import WIDE
from tests.browser.site import PASSWORD, Site
from tests.browser.test_pages import sideways, too_wide, until
from tests.house import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.processes, pytest.mark.reach("all")]

PHONE = {"width": 390, "height": 844}
COMPANY = "株式会社" + "とても長い名前の会社" * 9 + "合わせ"
LOGIN = "the-person-with-the-very-long-address-of-the-accounting-department@long-company-name.example.invalid"
LAST, FIRST = "Wolfeschlegelsteinhausenbergerdorff", "寿限無寿限無五劫の擦り切れ海砂利水魚の水行末"
CUT_OFF = """() => [...document.querySelectorAll('.badge, .role, .button, button, .chips a, .menu a')].filter(each => {
  const box = each.getBoundingClientRect();
  return box.width && !each.closest('.visually-hidden') && !each.matches('.visually-hidden')
    && (box.right > document.documentElement.clientWidth || box.left < 0 || each.scrollWidth > each.clientWidth + 1
      || each.matches('.role') && box.height > 32);
}).map(each => each.innerText)"""


@pytest.mark.parametrize(
    ("size", "scheme", "locale"),
    [(PHONE, "light", "en"), (PHONE, "dark", "ja"), (WIDE, "dark", "en")],
    ids=["phone", "phone-dark", "desk-dark"],
)
def test_long_names_break_no_page(
    site: Site,
    window: Callable[..., Page],
    picture: Callable[..., Path],
    size: dict[str, int],
    scheme: str,
    locale: str,
) -> None:
    for crew in site.house.smarthr.crews[:3]:
        site.house.smarthr.edit(crew["id"], {"last_name": LAST, "first_name": FIRST})
    add_user(site.house.ctx, LOGIN, PASSWORD, role=Role.ADMIN.value)
    with site.house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(site.house.connection, name=COMPANY))
        uow.users.change(1, locale=locale)
    finished = site.house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    until(site, finished, "is_final")
    previewed = site.house.start(Direction.FREEE_TO_SMARTHR, dry_run=True, started_by="user:1")
    until(site, previewed, "is_previewed")
    page = window(color_scheme=scheme)
    page.set_viewport_size(size)
    page.goto(f"{site.url}/sign-in")
    page.fill("#login", LOGIN)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{site.url}/")
    run, preview = f"/runs/{finished.id}", f"/runs/{previewed.id}"
    places = ["/", "/attention", "/runs", run, f"{preview}/people?show=all", f"{preview}/confirm"]
    places += ["/links", f"/links/{KEY}/all", "/connections", f"/connections/{KEY}", "/engine", "/users", "/account"]
    faults = [fault for place in places for fault in _faults(page, site, place)]
    assert faults == []
    page.goto(site.url + ("/" if size == PHONE else run))
    if locale == "en":
        picture(page, "phone" if size == PHONE else "dark")


def _faults(page: Page, site: Site, place: str) -> Sequence[str]:
    page.goto(site.url + place)
    found = [*findings(page), *sideways(page), *(f"“{text}” is cut off" for text in page.evaluate(CUT_OFF))]
    found += ["wider than the screen"] if too_wide(page) else []
    present = page.locator(".menu [aria-current=page]")
    if present.count() and not present.evaluate("each => each.getBoundingClientRect().right <= innerWidth"):
        found.append("the present entry of the menu is out of sight")
    return [f"{place}: {each}" for each in found]
