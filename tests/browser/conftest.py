"""A real Chromium before a whole site. Pages may load nothing but our own, and may not complain on the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from app.domain.access.roles import Role
from app.practice.staff.practice_company import build_company, japan_today
from tests.browser.site import PASSWORD, Site, chromium, open_site
from tests.conftest import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
SCREENSHOTS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        missing("there is no chromium on this machine (Debian package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, which is what CI is, Chromium starts only without its own sandbox; it opens our pages alone.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--lang=ja"])
        yield opened
        opened.close()


@pytest.fixture
def open_practice_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """`open_practice_site(…)` → a site with the practice company; `settings` as environment variables."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(open_site(tmp_path, build_company(japan_today()), **settings))


@pytest.fixture
def site(open_practice_site: Callable[..., Site]) -> Site:
    return open_practice_site()


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Page]]:
    """`window(**options)` → a page in a browser context of its own. What it asks of another host, and what its console
    complains of, fails the test at the end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(**options: Any) -> Page:
        context = browser.new_context(locale="ja-JP", viewport=WIDE, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: _only_ours(request.url, complaints))
        page.on("console", lambda said: _complains(said, complaints))
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def sign_in(window: Callable[..., Page], site: Site) -> Callable[..., Page]:
    """`sign_in(Role.MEMBER)` → a window in which somebody of that role is signed in."""

    def signed_in(role: Role, **options: Any) -> Page:
        page = window(**options)
        page.goto(f"{site.url}/sign-in")
        page.fill("#login", site.login(role))
        page.fill("#password", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{site.url}/")
        return page

    return signed_in


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """`picture(page, name)` saves a screenshot: beside the test, and with --screenshots what docs/screenshots
    holds already is renewed there. A page that wants another one begins with an empty file of that name."""

    def taken(page: Page, name: str, *, full_page: bool = False) -> Path:
        renewed = request.config.getoption("screenshots") and not full_page and (SCREENSHOTS / f"{name}.png").exists()
        path = (SCREENSHOTS if renewed else tmp_path / "screenshots") / f"{name}.png"
        page.screenshot(path=path, animations="disabled", full_page=full_page)
        return path

    return taken


def _only_ours(url: str, complaints: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
        complaints.append(f"asked {parts.hostname}")


def _complains(said: Any, complaints: list[str]) -> None:
    """A refused page (403, 404) is told on the console by the browser itself."""
    if said.type in ("error", "warning") and "Failed to load resource" not in said.text:
        complaints.append(said.text)
