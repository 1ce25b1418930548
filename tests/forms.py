"""What a page holds for the form that is sent next."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def token_in(page: str) -> str:
    """The token of the page's first form."""
    found = _TOKEN.search(page)
    assert found is not None, page[:500]
    return found.group(1)


def has_form(page: str) -> bool:
    return _TOKEN.search(page) is not None
