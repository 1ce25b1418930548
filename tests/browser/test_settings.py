"""The settings page and the end of a session in a real browser: what is saved says so at its button, what is not saved
asks before it is left, a choice instead of a name to type, and a page that stays as it is until somebody signs in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from app.domain.access.roles import Role
from app.domain.enums import Direction
from tests.browser.axe import findings
from tests.browser.site import PASSWORD, Site
from tests.browser.test_flow import words_of
from tests.house import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.processes, pytest.mark.few(2)]

Picture = Callable[..., Path]
SignIn = Callable[..., "Page"]
PHONE = {"width": 390, "height": 844}


def settings_of(page: Page, site: Site) -> None:
    """The settings with what freee holds: it comes after the page and moves what stands below it, so that a press on a
    button that moves away in the middle of it is none."""
    page.goto(f"{site.url}/connections/{KEY}")
    page.wait_for_load_state("networkidle")


def in_english(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/account")
    page.select_option("#locale", "en")
    page.click("form:has(#locale) button[type=submit]")


def end_session(site: Site) -> None:
    """Every session ends, as by idleness."""
    with site.engine.held(), site.house.ctx.unit_of_work() as uow:
        for user in uow.users.all():
            uow.sessions.end_all(user.id)


def must_be_in_view(page: Page, selector: str) -> None:
    """The whole of it, once the page has come to its place: a browser scrolls after it has shown what it scrolls to."""
    expect(page.locator(selector)).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize("size", [None, PHONE], ids=["1440", "390"])
def test_saving_says_so_where_the_eye_is(site: Site, sign_in: SignIn, size: dict[str, int] | None) -> None:
    page = sign_in(Role.ADMIN)
    if size:
        page.set_viewport_size(size)
    settings_of(page, site)
    page.locator("#two_persons").scroll_into_view_if_needed()
    page.fill("[name=hours]", "24")
    page.click("form[action$='/two_persons'] button.primary")
    page.wait_for_selector("#told-two_persons")
    must_be_in_view(page, "#told-two_persons")
    expect(page.locator("#told-two_persons")).to_be_focused()
    assert "保存しました" in page.inner_text("#told-two_persons")
    page.fill("[name=hours]", "many")
    page.click("form[action$='/two_persons'] button.primary")
    page.wait_for_selector("#two_persons [role=alert]")
    must_be_in_view(page, "#two_persons [role=alert]")
    expect(page.locator("#two_persons [role=alert]")).to_be_focused()
    assert findings(page) == []


def test_what_is_not_saved_asks_before_it_is_left(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.ADMIN)
    settings_of(page, site)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.fill("#name", "あたらしい名前")
    page.click("nav.menu a[href='/runs']")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"] and page.url.endswith(KEY), "who stays, stays"
    assert page.input_value("#name") == "あたらしい名前"
    page.click("form[action$='/two_persons'] button.primary")  # another form would lose it, too
    page.wait_for_timeout(300)
    assert len(asked) == 2 and page.input_value("#name") == "あたらしい名前"
    page.click("form[action$='/names'] button.primary")
    page.wait_for_selector("#told-names")
    page.click("nav.menu a[href='/runs']")
    page.wait_for_url("**/runs")
    assert len(asked) == 2, "what is saved asks nothing"


def test_typed_values_that_were_refused_count_as_not_saved(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.ADMIN)
    settings_of(page, site)
    page.fill("#mail_to", "no address")
    page.click("form[action$='/names'] button.primary")
    page.wait_for_selector("#mail_to-fault")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.click("body", position={"x": 1, "y": 1})  # a browser asks only on a page that somebody has touched
    page.click("nav.menu a[href='/runs']")
    page.wait_for_url("**/runs")
    assert asked == ["beforeunload"]


@pytest.mark.reach("all")
def test_a_pay_schedule_is_chosen_from_what_freee_holds(site: Site, sign_in: SignIn, picture: Picture) -> None:
    page = sign_in(Role.ADMIN)
    settings_of(page, site)
    page.wait_for_selector("select#pay_schedule_name")
    options = page.locator("select#pay_schedule_name option").all_inner_texts()
    assert "正社員" in options and "ほかの名前を入力する…" in options
    page.locator("#export").scroll_into_view_if_needed()
    picture(page, "export-settings")
    assert findings(page) == []
    page.select_option("select#pay_schedule_name", label="ほかの名前を入力する…")
    page.fill("input#pay_schedule_name", "正社貝")
    page.click("form[action$='/export'] button[value=save]")
    page.wait_for_selector("#pay_schedule_name-fault")
    assert "「正社員」ではありませんか" in page.inner_text("#pay_schedule_name-fault")
    page.wait_for_selector("select#pay_schedule_name")
    page.select_option("select#pay_schedule_name", "正社員")
    page.click("form[action$='/export'] button[value=save]")
    page.wait_for_selector("#told-export")
    settings = site.house.connection.export_settings
    assert settings is not None and settings.pay_schedule_name == "正社員"


def test_while_freee_is_away_the_name_is_typed(site: Site, sign_in: SignIn) -> None:
    refused = {"status_code": 503, "errors": [{"type": "error", "messages": ["x"]}]}
    site.house.freee_injector.fault(path="/api/v1/employees", status=503, body=refused)
    page = sign_in(Role.ADMIN)
    settings_of(page, site)
    page.wait_for_selector("#held-names .notice")
    assert "freee から名前を読めませんでした" in page.inner_text("#held-names")
    assert page.locator("input#pay_schedule_name").count() == 1
    site.house.freee_injector.clear_faults()
    page.click("#held-names [data-again]")
    page.wait_for_selector("select#pay_schedule_name")


def test_settings_are_tried_before_they_are_saved(site: Site, sign_in: SignIn, picture: Picture) -> None:
    with site.engine.held():
        site.house.run(Direction.SMARTHR_TO_FREEE)
        with site.house.ctx.unit_of_work() as uow:
            linked = {link.smarthr_id for link in uow.links.for_connection(site.house.connection.id)}
        crew = next(each for each in site.house.smarthr.crews if each["id"] in linked and not each["resigned_at"])
        site.house.smarthr.edit(crew["id"], {"gender": "female" if crew["gender"] == "male" else "male"})
    page = sign_in(Role.ADMIN)
    settings_of(page, site)
    page.click("#items summary")
    page.uncheck("input[name=exchanged][value=gender]")
    page.click("form[action$='/items'] button[value=try]")
    page.wait_for_selector("#trial:not([data-live])", timeout=60_000)
    assert "送らなくなります" in page.inner_text("#trial")
    assert not page.is_checked("input[name=exchanged][value=gender]"), "what was tried is still there to be saved"
    assert findings(page) == []
    page.locator("#trial").scroll_into_view_if_needed()
    picture(page, "trial")
    page.click("form[action$='/items'] button.primary")
    page.wait_for_selector("#told-items")
    assert site.house.connection.excluded == {"gender"}


@pytest.mark.reach("all")
def test_a_live_page_says_that_the_session_has_ended_and_stays(site: Site, sign_in: SignIn, picture: Picture) -> None:
    page = sign_in(Role.ADMIN)
    page.goto(f"{site.url}/engine")
    page.set_viewport_size({"width": 1440, "height": 500})
    page.evaluate("scrollTo(0, 400)")
    shown = words_of(page)
    end_session(site)
    page.wait_for_selector("#signed-out:not([hidden])", timeout=60_000)
    assert "サインインの期限が切れました" in page.inner_text("#signed-out")
    assert shown.split()[0] in words_of(page) and page.evaluate("scrollY") == 400
    must_be_in_view(page, "#signed-out a")
    picture(page, "signed-out")
    assert findings(page) == []
    page.click("#signed-out a")
    page.fill("#login", site.login(Role.ADMIN))
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{site.url}/engine")
    page.wait_for_function("scrollY === 400")


def test_after_a_sign_in_in_another_window_the_live_page_goes_on_by_itself(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.ADMIN)
    page.goto(f"{site.url}/engine")
    end_session(site)
    page.wait_for_selector("#signed-out:not([hidden])", timeout=60_000)
    other = page.context.new_page()
    other.goto(f"{site.url}/sign-in")
    other.fill("#login", site.login(Role.ADMIN))
    other.fill("#password", PASSWORD)
    other.click("main button[type=submit]")
    other.wait_for_url(f"{site.url}/")
    page.bring_to_front()
    page.wait_for_selector("#signed-out", state="hidden", timeout=60_000)


def test_a_form_sent_after_the_session_ended_is_sent_after_the_sign_in(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.ADMIN)
    settings_of(page, site)
    page.fill("#name", "あたらしい名前")
    end_session(site)
    page.click("form[action$='/names'] button.primary")
    page.wait_for_selector("#login")
    assert "まだ送信していません" in words_of(page)
    assert findings(page) == []
    page.fill("#login", site.login(Role.ADMIN))
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_selector("text=送信する内容を確かめてください")
    assert "あたらしい名前" in words_of(page) and site.house.connection.name != "あたらしい名前"
    assert findings(page) == []
    page.keyboard.press("Tab")
    page.click("main button.primary")
    page.wait_for_selector("#told-names")
    assert site.house.connection.name == "あたらしい名前"


def test_the_cookie_is_gone_and_the_form_is_kept_all_the_same(site: Site, sign_in: SignIn) -> None:
    page = sign_in(Role.ADMIN)
    settings_of(page, site)
    page.fill("#name", "あたらしい名前")
    page.context.clear_cookies()
    page.click("form[action$='/names'] button.primary")
    page.wait_for_selector("#login")
    assert "まだ送信していません" in words_of(page)


@pytest.mark.parametrize("locale", ["ja", "en"])
def test_on_a_phone_the_present_entry_of_the_menu_is_seen(site: Site, sign_in: SignIn, locale: str) -> None:
    page = sign_in(Role.ADMIN)
    if locale == "en":
        in_english(page, site)
    page.set_viewport_size(PHONE)
    for address in ("/", "/runs", "/connections", "/engine", "/users"):
        page.goto(f"{site.url}{address}")
        assert page.locator(".menu [aria-current=page]").count() == 1
        must_be_in_view(page, ".menu [aria-current=page]")


def test_a_connection_is_deleted_by_keyboard(site: Site, sign_in: SignIn, picture: Picture) -> None:
    page = sign_in(Role.ADMIN)
    name = site.house.connection.name
    settings_of(page, site)
    page.focus("#delete a.danger")
    page.keyboard.press("Enter")
    page.wait_for_url("**/delete")
    picture(page, "delete-connection")
    assert findings(page) == []
    page.focus("#typed")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.wait_for_url("**/connections")
    assert f"「{name}」の削除を始めました" in words_of(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, {"width": 1440, "height": 900}], ids=["390", "1440"])
@pytest.mark.parametrize("locale", ["ja", "en"])
def test_the_new_pages_are_clear_everywhere(
    site: Site, sign_in: SignIn, picture: Picture, locale: str, size: dict[str, int], scheme: str
) -> None:
    page = sign_in(Role.ADMIN, color_scheme=scheme)
    if locale == "en":
        in_english(page, site)
    page.set_viewport_size(size)
    pages = {"settings": f"/connections/{KEY}", "delete": f"/connections/{KEY}/delete"}
    for name, address in pages.items():
        page.goto(f"{site.url}{address}")
        if name == "settings":
            page.wait_for_selector("select#pay_schedule_name")
        assert findings(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        page.screenshot(path=picture(page, f"k8-{name}-{locale}-{size['width']}-{scheme}"), full_page=True)
    page.goto(f"{site.url}/connections/{KEY}")
    page.click("#pause button.danger")
    page.wait_for_selector("[name=confirmed]", state="attached")
    assert findings(page) == []
    picture(page, f"k8-ask-{locale}-{size['width']}-{scheme}")
