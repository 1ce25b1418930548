"""Every page: nothing serious for axe-core at 360 and 1440 pixels, light and dark; nothing wider than the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.runs.run_state import RunState
from app.use_cases.shared.views import RunView
from tests.browser.axe import findings
from tests.browser.conftest import NARROW, WIDE
from tests.browser.site import Site
from tests.house import KEY
from tests.web.addresses import Stock, addresses

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.processes

NO_PAGES = frozenset(
    f"screens.{name}"
    for name in (
        "static_file",
        "reading",
        "run_progress",
        "home_panels",
        "engine_now",
        "links_compare",
        "sign_in",
        "pay_schedules",
        "trial",
    )
)
"""Parts of a page that is kept fresh, files, and what leads elsewhere once somebody is signed in."""
SHOWN = frozenset({"screens.engine", "screens.history", "screens.links", "screens.connection", "screens.users"})
"""Pages whose picture stands in docs/screenshots."""


def too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def sideways(page: Page) -> list[str]:
    """Tables that are wider than what is seen of them, by their headings. One that is folded away is not seen."""
    told = "[...t.querySelectorAll('th')].slice(0, 4).map(th => th.innerText).join(' ')"
    wide = "[...document.querySelectorAll('.table')].filter(t => t.clientWidth && t.scrollWidth > t.clientWidth + 1)"
    found: list[str] = page.evaluate(f"{wide}.map(t => {told})")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_sign_in_page(site: Site, window: Callable[..., Page], scheme: str, size: dict[str, int]) -> None:
    page = window(color_scheme=scheme)
    page.set_viewport_size(size)
    page.goto(f"{site.url}/sign-in")
    assert page.title() == "サインイン — Awase"
    assert findings(page) == []
    assert not too_wide(page)


LOOKS = [(WIDE, "light", "ja"), (NARROW, "dark", "ja"), (NARROW, "light", "en")]


@pytest.mark.parametrize(("size", "scheme", "locale"), LOOKS)
def test_every_page(
    site: Site,
    sign_in: Callable[..., Page],
    size: dict[str, int],
    scheme: str,
    locale: str,
    picture: Callable[..., Path],
    request: pytest.FixtureRequest,
) -> None:
    """With a run that ended, a preview that waits, and one under way. Before `make test-all` each page is looked at in
    one of the looks: it takes a second and a half to examine one."""
    finished = site.house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    until(site, finished, "is_final")
    previewed = site.house.start(Direction.FREEE_TO_SMARTHR, dry_run=True, started_by="user:1")
    until(site, previewed, "is_previewed")
    page = sign_in(Role.ADMIN, color_scheme=scheme)
    page.set_viewport_size(size)
    with site.house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale=locale)
    faults: list[str] = []
    with site.engine.held():
        running = site.house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1")
        stock = Stock(
            finished.id, previewed.id, running.id, KEY, more={"user_id": 1, "step": "smarthr", "delivery_id": 1}
        )
        visited = [each for each in addresses(site.app, stock) if each[0] not in NO_PAGES]
        assert len(visited) > 20
        if request.config.getoption("reach") != "all" and not request.config.getoption("screenshots"):
            visited = visited[LOOKS.index((size, scheme, locale)) :: len(LOOKS)]
        for endpoint, address in visited:
            answer = page.goto(site.url + address)
            assert answer is not None and answer.status in (200, 404, 409, 422), (address, answer and answer.status)
            faults += [f"{address}: {found}" for found in findings(page)]
            faults += [f"{address}: wider than the screen"] if too_wide(page) else []
            if size == NARROW:
                page.set_viewport_size({"width": 390, "height": NARROW["height"]})
            faults += [f"{address}: {table} has to be pushed sideways" for table in sideways(page)]
            page.set_viewport_size(size)
            if (size, locale) == (WIDE, "ja"):
                picture(page, endpoint.removeprefix("screens.")) if endpoint in SHOWN else None
    assert faults == []


def until(site: Site, run: RunView, end: str) -> None:
    """Wait for the engine. Raises AssertionError after a minute."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        state = site.house.seen(run).state
        if state.is_final or (end == "is_previewed" and state is RunState.PREVIEWED):
            return
        time.sleep(0.1)
    raise AssertionError(f"still {site.house.seen(run).state}")


def test_axe_finds_what_is_wrong(site: Site, sign_in: Callable[..., Page]) -> None:
    """So that silence means something: a button without a name is told."""
    page = sign_in(Role.ADMIN)
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any(found.startswith("button-name") for found in findings(page))
