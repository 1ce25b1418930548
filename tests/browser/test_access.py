"""Sessions, the fresh proof, and a password of somebody else's making, by keyboard, and as axe sees their pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from app.use_cases.accounts import users
from app.use_cases.accounts.proof import FRESH
from tests.browser.axe import findings
from tests.browser.conftest import NARROW, WIDE
from tests.browser.site import PASSWORD, Site
from tests.browser.test_pages import too_wide

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.processes

NEW = "quite-another-password"


def press(page: Page, name: str) -> None:
    """Reach the button with the keyboard and press it; the page that it leads to has come."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.matches('button') ? document.activeElement.innerText : ''"):
            with page.expect_navigation():
                page.keyboard.press("Enter")
            return
    raise AssertionError(f"no {name} within reach of the Tab key")


def test_a_session_is_ended_a_right_proved_and_a_password_chosen(
    site: Site, sign_in: Callable[..., Page], window: Callable[..., Page], picture: Callable[[Page, str], Path]
) -> None:
    faults: list[str] = []

    def look(page: Page, name: str) -> None:
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            faults.extend(f"{name}: {found}" for found in findings(page))
            faults.extend([f"{name}: wider than the screen"] if too_wide(page) else [])
            picture(page, f"access-{name}-{size['width']}")

    admin, member = sign_in(Role.ADMIN), sign_in(Role.MEMBER)
    user = users.user_id_of(site.house.ctx, site.login(Role.MEMBER))
    admin.goto(f"{site.url}/users/{user}/sessions")
    look(admin, "sessions")
    press(admin, "終わらせる")
    look(admin, "question")
    press(admin, "サインアウトさせる")
    admin.get_by_text("その端末をサインアウトしました").wait_for()
    member.goto(f"{site.url}/runs")
    assert "/sign-in" in member.url

    with site.house.ctx.unit_of_work() as uow:
        for session in uow.sessions.of_user(users.user_id_of(site.house.ctx, site.login(Role.ADMIN))):
            uow.sessions.prove(session.id, now=session.created_at - FRESH - timedelta(minutes=1))
    admin.goto(f"{site.url}/users")
    with admin.expect_navigation():
        admin.click(f"form[action='/users/{user}/password'] button")
    look(admin, "proof")
    admin.keyboard.type(PASSWORD)
    admin.keyboard.press("Enter")
    made = admin.locator("code").inner_text()

    member.fill("#login", site.login(Role.MEMBER))
    member.fill("#password", made)
    member.keyboard.press("Enter")
    member.wait_for_url("**/account/new-password")
    look(member, "new-password")
    member.fill("#password", NEW)
    member.fill("#again", NEW)
    member.keyboard.press("Enter")
    member.wait_for_url(f"{site.url}/")
    assert faults == []
