"""How often a vendor may be asked: every form of the setting, and what is none."""

from __future__ import annotations

import pytest

from app.domain.vendors.rates import Window, parse_limits


def test_limits_in_all_forms() -> None:
    assert parse_limits(" 8/s, 100/10s,4250/h ,3/2m") == (
        *(Window(8, 1.0), Window(100, 10.0), Window(4250, 3600.0), Window(3, 120.0)),
    )


@pytest.mark.parametrize("text", ["", " , ", "8", "0/s", "8/d", "8/0s", "-1/s", "8/s;9/m"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"に"):
        parse_limits(text)
