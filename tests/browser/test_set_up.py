"""Setting up and mending in a real browser: the wizard with freee's own page in between, links, an invitation."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.practice.staff.practice_company import FREEE_EXTERNAL_CID, SMARTHR_TOKEN, SUBDOMAIN
from app.storage.tables.models import ConnectionTable
from tests.browser.axe import findings
from tests.browser.site import PASSWORD, Site
from tests.browser.test_flow import choose_direction, read_both_sides, words_of
from tests.browser.test_pages import until
from tests.house import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.processes

Picture = Callable[..., Path]
SignIn = Callable[..., "Page"]


def test_the_wizard_from_nothing_to_the_first_preview(site: Site, sign_in: SignIn, picture: Picture) -> None:
    with site.engine.held(), site.house.database.engine.begin() as database:
        database.execute(delete(ConnectionTable))
    site.house.freee_injector.set_switch("interactive", True)
    page = sign_in(Role.ADMIN)
    page.goto(f"{site.url}/connections")
    assert "接続はまだありません" in words_of(page)
    page.click("main a[href='/connections/new']")
    page.fill("[name=name]", "合わせ商事")
    page.fill("[name=smarthr_subdomain]", SUBDOMAIN)
    page.fill("[name=smarthr_token]", "not-the-token")
    page.fill("[name=mail_to]", "jinji@example.com")
    page.click("main form button.primary")
    page.wait_for_load_state()
    assert page.locator(".fault").count() == 1
    page.fill("[name=smarthr_token]", SMARTHR_TOKEN)
    page.click("main form button.primary")
    page.wait_for_url("**/smarthr")
    assert "現住所の郵便番号" in words_of(page)
    assert findings(page) == []
    picture(page, "wizard")
    page.locator("main a.primary").first.click()
    page.click("main form button.primary")
    page.click("text=許可する")
    page.wait_for_url("**/freee")
    assert FREEE_EXTERNAL_CID in words_of(page)
    assert findings(page) == []
    page.click("button[value=confirm]")
    page.fill("[name=working_hours_system_name] >> nth=0", "固定時間制")
    page.wait_for_selector("select#pay_schedule_name")
    page.select_option("select#pay_schedule_name", "正社員")
    page.fill("[name=base_pay] >> nth=0", "230000")
    page.click("button[name=answer][value=save]")
    page.click("button[value=register]")
    page.locator("main a.primary").click()
    assert words_of(page).count("接続できます") == 2
    page.locator("main a[href$='smarthr_to_freee']").click()
    read_both_sides(page)
    assert page.locator("table.preview-people").count() == 1


def test_the_wizard_asks_before_what_was_typed_is_lost(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.ADMIN)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.goto(f"{site.url}/connections/new")
    page.click("main a[href='/connections']")
    page.wait_for_url("**/connections")
    assert asked == [], "nothing was typed"
    page.goto(f"{site.url}/connections/new")
    page.fill("[name=mail_english]", "anna@example.com")
    page.click("main a[href='/connections']")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"] and page.input_value("[name=mail_english]") == "anna@example.com"
    page.fill("[name=name]", "合わせ商事")
    page.fill("[name=smarthr_subdomain]", SUBDOMAIN)
    page.fill("[name=smarthr_token]", "not-the-token")
    page.click("main form button.primary")
    page.wait_for_selector(".fault")
    assert page.input_value("[name=mail_english]") == "anna@example.com"
    page.click("body", position={"x": 1, "y": 1})  # a browser asks only on a page that somebody has touched
    page.click("nav.menu a[href='/runs']")
    page.wait_for_timeout(300)
    assert len(asked) == 2, "what was refused is not saved"
    page.fill("[name=smarthr_token]", SMARTHR_TOKEN)
    with site.engine.held(), site.house.database.engine.begin() as database:
        database.execute(delete(ConnectionTable))
    page.click("main form button.primary")
    page.wait_for_url("**/smarthr")
    page.goto(page.url.replace("/smarthr", "/freee"))
    page.click("main form button.primary")
    page.wait_for_url("**/freee")
    page.click("button[value=confirm]")
    page.wait_for_url("**/export")
    page.fill("[name=base_pay] >> nth=0", "230000")
    page.locator("details.more summary").click()
    page.click("button[value=more]")  # gives the page back with what was typed and one more set, and saves nothing
    page.wait_for_selector("fieldset.set")
    page.click("body", position={"x": 1, "y": 1})
    page.click("nav.menu a[href='/runs']")
    page.wait_for_timeout(300)
    assert len(asked) == 3 and page.input_value("[name=base_pay] >> nth=0") == "230000"


def test_two_people_are_joined_side_by_side(site: Site, sign_in: SignIn, picture: Picture) -> None:
    started = site.house.start(Direction.SMARTHR_TO_FREEE)
    until(site, started, "is_final")
    page = sign_in(Role.MEMBER)
    page.goto(f"{site.url}/links/{KEY}")
    asked = page.locator("article.question").count()
    assert asked > 0
    page.wait_for_selector("article.question >> nth=0 >> table.side-by-side")  # read from both systems meanwhile
    assert page.locator("article.question").first.locator("table.side-by-side tbody tr").count() >= 5
    picture(page, "links")
    assert findings(page) == []
    page.locator("article.question button[value=join]").first.click()
    page.wait_for_selector(".notice[data-tone=good]")
    page.goto(f"{site.url}/links/{KEY}")
    assert page.locator("article.question").count() < asked


def test_an_invited_colleague_signs_in(site: Site, sign_in: SignIn, window: Callable[..., Page]) -> None:
    page = sign_in(Role.ADMIN)
    page.goto(f"{site.url}/users")
    page.fill("[name=mail]", "atarashii@example.com")
    page.select_option("form[action='/users/invitations'] select[name=role]", Role.VIEWER.value)
    page.click("form[action='/users/invitations'] button[type=submit]")
    page.wait_for_selector(".notice[data-tone=good]")
    for _ in range(100):
        mails = [mail for mail in site.house.postbox.mails if "atarashii@example.com" in mail.to]
        if mails:
            break
        page.wait_for_timeout(100)
    (address,) = re.findall(r"http://\S+/invitation/\S+", mails[0].body)
    colleague = window()
    colleague.goto(address)
    colleague.fill("[name=password]", PASSWORD)
    colleague.fill("[name=again]", PASSWORD)
    colleague.click("main button[type=submit]")
    colleague.wait_for_load_state()
    if colleague.locator("#login").count():
        colleague.fill("#login", "atarashii@example.com")
        colleague.fill("#password", PASSWORD)
        colleague.click("main button[type=submit]")
    colleague.goto(site.url)
    assert "SmartHRからfreee人事労務へ" in words_of(colleague)
    assert colleague.locator(f"a[href^='/sync/{KEY}']").count() == 0


def test_the_first_pages_are_clear_without_scripts(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.MEMBER, java_script_enabled=False)
    choose_direction(page, site, Direction.FREEE_TO_SMARTHR)
    page.click("main form button.primary")
    page.wait_for_selector("table.preview-people", timeout=30_000)
    page.click("button[name=go]")
    page.click("button.preview-sync")
    assert "従業員を同期しますか？" in words_of(page)
    tick = page.locator("main input[name=acknowledged]")
    if tick.count():
        tick.check()
    page.click("main form button.primary")
    page.wait_for_selector("#people", timeout=60_000)
    assert "成功" in words_of(page)
