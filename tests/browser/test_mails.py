"""Mails as they are seen: on a telephone and on a wide screen, light and dark, in both languages."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from app.adapters.mailer import SmtpMailer
from app.domain.access.roles import Role
from app.domain.enums import Direction, Step, System
from app.domain.mail_text import notices
from app.domain.mail_text.letter import Draft, Letter, Words
from app.domain.mail_text.people import Outcome
from app.domain.mail_text.rendering import letter
from app.domain.mail_text.summary import RunSummary, compose
from app.domain.ports import Mail
from app.domain.runs.run_state import ItemState
from app.domain.settings.recipients import Language
from app.domain.vendors.answer import VendorAnswer
from app.practice.server import start_in_thread
from app.practice.vendor_kit.mailbox import Mailbox
from app.web.i18n import wording
from tests.browser.axe import findings
from tests.browser.site import Site
from tests.browser.test_pages import too_wide, until
from tests.domain.mail_reader import differences

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.processes, pytest.mark.few(2)]

TELEPHONE, WIDE = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
LINK = "https://awase.example:8443/runs/3f1c0a5e-6f0a-4e57-9a35-1c6f2c0a9b11"
LONG = "株式会社" + "とても長い名前の" * 5 + "AVeryLongCompanyNameWithoutAnyBlankInIt<script>alert(1)</script>"
WORDS = "電話番号が不正です。" * 8 + "x" * 90


def told(say: Words) -> Draft:
    answer = VendorAnswer(System.FREEE, WORDS, step=Step.PROFILE)
    failures = (
        Outcome("0001", "E1", items=("hired_on",)),
        Outcome("", "E2", items=("birth_date", "gender"), ids=((System.SMARTHR, "3f1c0a5e-6f0a-4e57"),), link=LINK),
        Outcome("0" * 60, "E17", answers=(answer,)),
    )
    summary = RunSummary(
        direction=Direction.SMARTHR_TO_FREEE,
        company=LONG,
        run_url=LINK,
        started_at=datetime(2026, 11, 22, 3, 4, tzinfo=UTC),
        finished_at=datetime(2026, 11, 22, 3, 5, tzinfo=UTC),
        as_of_date=date(2026, 11, 22),
        counts={ItemState.SUCCEEDED: 20, ItemState.FAILED: 30, ItemState.UNCHANGED: 9_000, ItemState.CONFLICT: 1},
        failures=failures,
        reviews=(Outcome("0003", "foreign_address", items=("home_address",)),),
        left_out={"left_before": 2},
        calls={System.SMARTHR: 12, System.FREEE: 34},
        help_from="https://support.example/" + "path/" * 12,
    )
    return compose(summary, say)


def invited(say: Words) -> Draft:
    return notices.invited(say, f"{LINK}/{'t' * 43}", role=Role.VIEWER, until=datetime(2026, 11, 25, 3, tzinfo=UTC))


def written(write: Callable[[Words], Draft], language: Language) -> Letter:
    return letter(write(wording(language.value)), language, ("hr@example.com",))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("write", [told, invited])
def test_a_mail_is_readable_everywhere(
    window: Callable[..., Page], write: Callable[[Words], Draft], language: Language, scheme: str
) -> None:
    page, mail = window(color_scheme=scheme), written(write, language)
    for size in (TELEPHONE, WIDE):
        page.set_viewport_size(size)
        page.set_content(mail.html)
        assert not too_wide(page), size
        assert findings(page) == [], size
    seen = [line for line in page.locator("main").inner_text().splitlines() if line.strip()]
    assert differences(seen, mail.text) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_it_takes_the_width_it_has_and_no_more(window: Callable[..., Page]) -> None:
    page = window()
    page.set_viewport_size(WIDE)
    page.set_content(written(told, Language.JAPANESE).html)
    box = page.locator("main").bounding_box()
    assert box is not None and box["width"] <= 640


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    box = Mailbox(tmp_path / "mail")
    box.start()
    yield box
    box.stop()


@pytest.fixture
def reading(mailbox: Mailbox) -> Iterator[str]:
    """The address at which the mailbox is read."""
    server = start_in_thread(mailbox.control_app(), host="127.0.0.1", port=0)
    yield server.url
    server.stop()


def send(mailbox: Mailbox, html: Callable[[str], str] = str) -> None:
    mail = written(told, Language.JAPANESE)
    leaving = Mail("<run-1@awase.test>", mail.to, mail.subject, mail.text, html(mail.html))
    SmtpMailer(mailbox.url, "Awase <awase@example.com>").send(leaving)


def test_the_practice_mailbox_shows_both_parts(window: Callable[..., Page], mailbox: Mailbox, reading: str) -> None:
    send(mailbox)
    page = window()
    page.set_viewport_size(WIDE)
    page.goto(reading)
    page.get_by_role("link", name="SmartHRからfreee人事労務へ").click()
    page.wait_for_load_state()
    assert "従業員番号: 【0001】" in page.locator("pre").inner_text()
    assert "従業員番号: 【0001】" in page.frame_locator("iframe").locator("main").inner_text()
    text, html = page.locator("pre").bounding_box(), page.locator("iframe").bounding_box()
    assert text is not None and html is not None and abs(text["y"] - html["y"]) < 4  # side by side
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(TELEPHONE)
        assert not too_wide(page) and findings(page) == []
    page.goto(reading)
    assert not too_wide(page) and findings(page) == []


def test_what_a_mail_brings_along_does_nothing(browser: Browser, mailbox: Mailbox, reading: str) -> None:
    """No script runs, and nothing comes from anywhere."""
    evil = "<main><script>parent.document.title = 'taken'</script><img src='/_practice/state'>"
    send(mailbox, lambda html: html.replace("<main>", evil))
    came: list[str] = []
    page = browser.new_page()
    page.on("response", lambda answer: came.append(urlsplit(answer.url).path))
    page.goto(f"{reading}/mails/000001", wait_until="networkidle")
    assert page.title().startswith("SmartHRから")
    assert came == ["/mails/000001", "/mails/000001/html"]
    page.close()


def test_a_plain_mail_of_another_sender_is_shown_too(
    window: Callable[..., Page], mailbox: Mailbox, reading: str
) -> None:
    mail = b"Subject: plain <b>\r\nTo: b@example.com\r\n\r\nhello <i>\r\n"
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=5) as smtp:
        smtp.sendmail("a@example.com", ["b@example.com"], mail)
    page = window()
    page.goto(f"{reading}/mails/000001")
    assert page.locator("pre").inner_text().strip() == "hello <i>"
    assert page.locator("iframe").count() == 0
    assert page.locator("h1").inner_text() == "plain <b>"


def test_awase_shows_the_mail_it_has_sent_with_its_html_beside(
    site: Site, sign_in: Callable[..., Page], picture: Callable[..., Path]
) -> None:
    run = site.house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1", employees=("0001",))
    until(site, run, "is_final")
    page = sign_in(Role.MEMBER)
    page.set_viewport_size(WIDE)
    page.goto(f"{site.url}/runs/{run.id}/mail")
    html = page.frame_locator("iframe").locator("main")
    html.wait_for()
    assert run.id in page.locator("pre").inner_text()
    widest = html.evaluate("seen => getComputedStyle(seen).maxWidth")
    assert widest == "640px", "its own style counts"
    text, beside = page.locator("pre").bounding_box(), page.locator("iframe").bounding_box()
    assert text is not None and beside is not None and abs(text["y"] - beside["y"]) < 4  # side by side
    assert findings(page) == []
    picture(page, "mail-sent", full_page=True)
    page.set_viewport_size(TELEPHONE)
    assert not too_wide(page)
