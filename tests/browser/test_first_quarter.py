"""The guided first quarter of an hour in a house that `make run` has started: all five tasks, by clicking only.

The one thing that is typed besides the sign-in is the date that somebody forgot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.practice.guide.tasks import AUTOMATIC, MASS, MEND, SYNC, TASKS, UNDO
from app.practice.staff.practice_company import japan_today
from tests.browser.axe import findings
from tests.browser.test_flow import approve, go_to_the_plan, read_both_sides
from tests.e2e.test_run import Launcher

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.processes, pytest.mark.reach("all"), pytest.mark.timeout(900)]

FORGOTTEN = "0069"
"""Whose 入社年月日 is blank in the practice company."""
SECONDS = 120_000
"""How long a tick may take, on a machine that does much else besides."""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    started = Launcher(tmp_path / "var", QUIET_SECONDS="0")
    try:
        yield started.up()
    finally:
        if started.process.poll() is None:
            started.stop()


class Guided:
    """Somebody with the guide in one tab."""

    def __init__(self, guide: Page) -> None:
        self.guide = guide

    @contextmanager
    def follow(self, task: str, name: str) -> Iterator[Page]:
        """Press a button of the task; what it opens is closed at the end."""
        with self.guide.expect_popup() as opened:
            self.guide.locator(f"#{task} a.button", has_text=name).first.click()
        page = opened.value
        page.set_default_timeout(SECONDS)
        page.wait_for_load_state()
        yield page
        page.close()

    def await_tick(self, task: str) -> None:
        self.guide.wait_for_selector(f"#{task}.done", timeout=SECONDS)

    @property
    def ticks(self) -> set[str]:
        return {task for task in TASKS if self.guide.locator(f"#{task}.done").count()}


def test_all_five_tasks_by_clicking_only(launcher: Launcher, window: Callable[..., Page]) -> None:
    guide = window()
    guide.goto(launcher.value("はじめの15分"))
    assert findings(guide) == []
    guided = Guided(guide)
    sign_in(guided, launcher)
    assert guided.ticks == set()

    with guided.follow(SYNC, "同期を開く") as page:
        page.click("text=続きから確認する")
        go_to_the_plan(page)
        approve(page)
    guided.await_tick(SYNC)

    with guided.follow(MEND, "要対応") as page:
        mend(page)
    guided.await_tick(MEND)

    with guided.follow(MASS, "取り込みを開く") as page:
        import_sample(page, "口座が1行ずれたファイル")
    with guided.follow(MASS, "同期を開く") as page:
        read_both_sides(page)
        go_to_the_plan(page)
        assert "確認なしに書き込める1日の人数を超えています" in page.inner_text("main")
        guided.await_tick(MASS)
        approve(page)
        page.wait_for_selector("text=元に戻す")
        undo(page)
    guided.await_tick(UNDO)
    with guided.follow(UNDO, "取り込みを開く") as page:
        import_sample(page, "正しい口座のファイル")

    assert AUTOMATIC not in guided.ticks
    with guided.follow(AUTOMATIC, "自動同期") as page:
        page.select_option("[name=directions]", "smarthr_to_freee")
        page.locator("form[action$='/automatic'] button.primary").click()
        page.wait_for_selector(".notice[data-tone=good]")
    begin(guided)
    with guided.follow(AUTOMATIC, "SmartHR の従業員リスト") as page:
        edit(page)
    guided.await_tick(AUTOMATIC)
    with guided.follow(AUTOMATIC, "freee人事労務の従業員") as page:
        page.locator("table.people a").first.click()
        page.wait_for_load_state()
        assert "課長補佐" in page.inner_text("main")
    assert guide.is_visible("#all-done")


def sign_in(guided: Guided, launcher: Launcher) -> None:
    found = re.search(r"^  サインイン +(\S+) / (\S+?)\(", launcher.text, flags=re.MULTILINE)
    assert found, launcher.text
    with guided.guide.expect_popup() as opened:
        guided.guide.click("text=Awase を開く")
    page = opened.value
    page.fill("#login", found[1])
    page.fill("#password", found[2])
    page.click("main button[type=submit]")
    page.wait_for_load_state()
    page.close()


def mend(page: Page) -> None:
    """From the list of what needs action to SmartHR and back, until the person is gone from the list."""
    waiting = page.locator("li.attention-entry", has_text=FORGOTTEN)
    needs_action = page.url
    with page.expect_popup() as opened:
        waiting.locator("a", has_text="SmartHRで開く").click()
    there = opened.value
    there.wait_for_load_state()
    assert "練習用の会社です" in there.inner_text("body") and FORGOTTEN in there.inner_text("main")
    assert findings(there) == []
    there.click("text=編集する")
    there.fill("[name=entered_at]", f"{japan_today().year}-04-01")
    there.click("text=保存する")
    there.wait_for_load_state()
    assert "保存しました" in there.inner_text("main")
    there.close()
    page.goto(needs_action)
    waiting.locator("button.primary").click()
    page.wait_for_function("first => location.href !== first", arg=needs_action)
    page.goto(needs_action)
    while waiting.count():
        page.wait_for_timeout(500)
        page.reload()


def import_sample(page: Page, title: str) -> None:
    page.locator(".samples li", has_text=title).locator("button").click()
    page.wait_for_load_state()
    assert "取り込みました" in page.inner_text("main")


def undo(page: Page) -> None:
    page.click("main a[href$='/undo']")
    page.click("main form button.primary, main form button.danger")
    page.wait_for_selector("table.preview-people")
    go_to_the_plan(page)
    approve(page)


def begin(guided: Guided) -> None:
    """Approve the preview with which automatic sync begins, or see that it began by itself."""
    with guided.follow(AUTOMATIC, "ホーム") as page:
        for _ in range(100):
            if page.locator("main a", has_text="確認する").count():
                page.locator("main a", has_text="確認する").first.click()
                page.wait_for_selector("table.preview-people")
                go_to_the_plan(page)
                approve(page)
                return
            if not page.locator("text=確認してから始まります").count():
                return
            page.wait_for_timeout(1000)
            page.reload()
    raise AssertionError("no preview to approve")


def edit(page: Page) -> None:
    page.locator("table.people a").first.click()
    page.click("text=編集する")
    page.fill("[name=position]", "課長補佐")
    page.click("text=保存する")
    page.wait_for_load_state()
    assert "保存しました" in page.inner_text("main")
