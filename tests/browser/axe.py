"""What axe-core holds against a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page

SERIOUS = {"serious", "critical"}


def findings(page: Page) -> list[str]:
    """Serious and critical ones only."""
    page.wait_for_load_state()  # a press may have led elsewhere
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]} — {node.get('failureSummary', '')[:300]}"
        for each in violations
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
