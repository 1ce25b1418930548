"""API keys and the export of the audit trail in a browser, with the keyboard alone; nothing serious for axe-core."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.access.roles import Role
from tests.browser.axe import findings
from tests.browser.conftest import NARROW, WIDE
from tests.browser.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.processes


def looked_at(page: Page, name: str) -> None:
    """At both widths. With PICTURES set, somebody wants to see the page afterwards."""
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)
        assert findings(page) == [], name
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, (name, size)
        if folder := os.environ.get("PICTURES"):
            page.screenshot(path=str(Path(folder) / f"{name}-{size['width']}.png"), full_page=True)


def test_a_key_is_made_used_and_revoked_and_the_trail_goes_into_a_file(
    site: Site, sign_in: Callable[..., Page], tmp_path: Path
) -> None:
    page = sign_in(Role.ADMIN)
    page.goto(f"{site.url}/keys")
    looked_at(page, "keys-none")
    page.locator("#name").focus()
    page.keyboard.type("毎月の締め")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # runs:read
    page.locator("#name").focus()
    page.keyboard.press("Enter")
    made = page.locator("#made").inner_text()
    answer = page.request.get(f"{site.url}/api/v1/runs", headers={"Authorization": f"Bearer {made}"})
    assert answer.ok
    looked_at(page, "keys-made")
    page.goto(f"{site.url}/keys")
    assert made not in page.content() and "127.0.0.1" in page.content()
    looked_at(page, "keys-used")
    page.get_by_role("link", name="無効にする").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/revoke")
    looked_at(page, "keys-ask")
    page.get_by_role("button", name="無効にする").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys")
    looked_at(page, "keys-revoked")
    assert page.request.get(f"{site.url}/api/v1/runs", headers={"Authorization": f"Bearer {made}"}).status == 401
    page.goto(f"{site.url}/audit")
    looked_at(page, "audit")
    page.get_by_role("link", name="ファイルに書き出す").click()
    page.locator("#format").select_option("jsonl")
    looked_at(page, "audit-export")
    page.get_by_role("button", name="書き出す").focus()
    with page.expect_download() as caught:
        page.keyboard.press("Enter")
    file = tmp_path / "export.jsonl"
    caught.value.save_as(file)
    actions = [json.loads(line)["action"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert {"key_added", "key_used", "key_revoked", "key_refused", "audit_exported"} <= set(actions)
