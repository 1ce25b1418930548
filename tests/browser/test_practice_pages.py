"""The practice products' pages in a real browser: axe, both widths, light and dark, and a form sent by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.server import start_in_thread
from app.practice.smarthr.practice_smarthr import create_smarthr, smarthr_of
from app.practice.staff.practice_company import build_company, japan_today
from tests.browser.axe import findings
from tests.browser.conftest import NARROW, WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.processes, pytest.mark.few(2)]

PATHS = ("people", "people/new", "people/import", "keys", "people/{id}", "people/{id}/edit", "people/{id}/leave")


class Place(NamedTuple):
    address: str
    who: str
    """The id of 0001."""
    field: str
    wrong: str
    right: str


@pytest.fixture(params=["smarthr", "freee"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    company = build_company(japan_today())
    if request.param == "smarthr":
        app: Any = create_smarthr(company)
        who = smarthr_of(app).ids_by_number("0001")[0]
        typed = ("tel_number", "番号なし", "03-0000-0001")
    else:
        app = create_freee(company)
        who = str(freee_of(app).ids_by_num("0001")[0])
        typed = ("profile_rule.title", "長" * 256, "課長補佐")
    server = start_in_thread(app)
    yield Place(f"{server.url}/_practice/", who, *typed)
    server.stop()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_page_is_clear_at_both_widths(place: Place, window: Callable[..., Page], look: str) -> None:
    page = window(color_scheme=look)
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for path in PATHS:
            page.goto(place.address + path.format(id=place.who))
            assert findings(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


def test_a_form_is_refused_and_taken_with_the_keyboard_alone(place: Place, window: Callable[..., Page]) -> None:
    """Also: the browser names the origin that the guard wants to see."""
    page = window()
    page.goto(f"{place.address}people/{place.who}/edit")
    page.focus(f"[name='{place.field}']")
    page.keyboard.press("Control+A")
    page.keyboard.type(place.wrong)
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert page.get_attribute(f"[name='{place.field}']", "aria-invalid") == "true"
    assert findings(page) == []
    page.focus(f"[name='{place.field}']")
    page.keyboard.press("Control+A")
    page.keyboard.type(place.right)
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status]")
    assert "保存しました" in page.inner_text("main") and place.right in page.inner_text("main")
