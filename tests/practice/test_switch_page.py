"""The practice vendors' own page: every switch is there with its line, and a click does what it says."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask

from app.practice.freee import practice_freee
from app.practice.freee.practice_freee import create_freee
from app.practice.smarthr import practice_smarthr
from app.practice.smarthr.practice_smarthr import create_smarthr
from app.practice.staff.practice_company import build_company
from app.practice.vendor_kit.fault_injection import injector_of
from app.practice.vendor_kit.switch_page import NOTES
from tests.web.visitor import Visitor

PAGE = "/_practice/"


@pytest.fixture(params=[create_smarthr, create_freee], ids=["smarthr", "freee"])
def vendor(request: pytest.FixtureRequest) -> Flask:
    app: Flask = request.param(build_company(date(2026, 11, 1)))
    return app


@pytest.fixture
def page(vendor: Flask) -> Visitor:
    made = Visitor(vendor.test_client())
    made.open(PAGE)
    return made


def click(page: Visitor, **sent: str) -> None:
    page.page = page.client.post(f"{PAGE}clicks", data=sent, follow_redirects=True)
    assert page.page.status_code == 200 and page.page.request.path == PAGE


def test_every_switch_has_its_line_and_no_line_is_left_over() -> None:
    declared = {each.name for each in (*practice_smarthr.SWITCHES, *practice_freee.SWITCHES)}
    assert declared == set(NOTES)


def test_every_switch_is_shown_as_it_stands(vendor: Flask, page: Visitor) -> None:
    for name in injector_of(vendor).declared:
        assert NOTES[name] in page.words
    pressed = page.text.count('" aria-pressed="true"')
    assert pressed == sum(isinstance(each.allowed, tuple) for each in injector_of(vendor).declared.values())


def test_a_click_switches_and_another_takes_everything_back(vendor: Flask, page: Visitor) -> None:
    injector = injector_of(vendor)
    click(page, switch="maintenance", choice="1")
    assert injector.switch("maintenance") is True
    click(page, switch="webhook_duplicates", choice="2")
    assert injector.switch("webhook_duplicates") == 2
    click(page, mishap="limit")
    assert "いま効いている障害: 1 件" in page.words
    click(page, calm="1")
    assert (injector.switch("maintenance"), injector.switch("webhook_duplicates"), injector.fault_rules) == (
        False,
        0,
        [],
    )


@pytest.mark.parametrize("name", ["busy", "lost", "limit", "cut", "slow", "down"])
def test_every_mishap_can_be_asked_for(vendor: Flask, page: Visitor, name: str) -> None:
    click(page, mishap=name)
    assert len(injector_of(vendor).fault_rules) == 1


@pytest.mark.parametrize(
    "sent",
    [
        {"switch": "maintenance", "choice": "2"},
        {"switch": "maintenance", "choice": "x"},
        {"switch": "maintenance"},
        {"switch": "nothing", "choice": "0"},
        {"mishap": "nothing"},
        {},
    ],
)
def test_a_click_that_means_nothing_changes_nothing(vendor: Flask, page: Visitor, sent: dict[str, str]) -> None:
    before = injector_of(vendor).switches
    click(page, **sent)
    assert injector_of(vendor).switches == before and injector_of(vendor).fault_rules == []


def test_attributes_are_hidden_by_typing_their_names() -> None:
    app = create_smarthr(build_company(date(2026, 11, 1)))
    page = Visitor(app.test_client())
    page.open(PAGE)
    click(page, switch="hidden_attributes", list=" tel_number, birth_at ,")
    assert injector_of(app).switch("hidden_attributes") == ("tel_number", "birth_at")
    assert 'value="tel_number, birth_at"' in page.text
    click(page, switch="hidden_attributes", list="")
    assert injector_of(app).switch("hidden_attributes") == ()


def test_the_page_is_no_vendor_call(vendor: Flask, page: Visitor) -> None:
    click(page, switch="maintenance", choice="1")
    page.open(PAGE)
    assert injector_of(vendor).requests == []
