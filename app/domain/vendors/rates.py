"""How often a vendor may be asked, as a setting says it."""

from __future__ import annotations

import re
from typing import NamedTuple

from app.domain.enums import System


class Window(NamedTuple):
    """At most `permits` calls in any `seconds`."""

    permits: int
    seconds: float


def limiter_keys(smarthr_subdomain: str, freee_company_id: int) -> dict[System, str]:
    """System → the name under which the calls of a tenant and of a company are counted."""
    return {System.SMARTHR: f"smarthr:{smarthr_subdomain}", System.FREEE: f"freee:{freee_company_id}"}


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_limits(text: str) -> tuple[Window, ...]:
    """`8/s,4250/h` → windows. Raises ValueError."""
    windows = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = re.fullmatch(r"([1-9]\d*)/(\d*)([smh])", part)
        if not match:
            raise ValueError(f"に {part!r} は使えません(8/s、100/10s、4250/h の形)。")
        length = int(match[2] or 1) * _UNITS[match[3]]
        if not length:
            raise ValueError(f"に {part!r} は使えません(時間の長さが 0 です)。")
        windows.append(Window(int(match[1]), length))
    if not windows:
        raise ValueError("に制限がありません(8/s、100/10s、4250/h の形)。")
    return tuple(windows)
