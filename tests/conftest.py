"""What every test stands on: no socket beyond this machine, and a house with both practice vendors when asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

from app.practice.staff import PracticeCompany, build_company

if TYPE_CHECKING:
    from tests.house import House

settings.register_profile("awase", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("awase")


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


def missing(reason: str) -> None:
    """A component this machine lacks: the test is skipped with the reason, and fails where CI promises everything."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def company() -> PracticeCompany:
    """The practice company on an ordinary day in the middle of a month. Read only."""
    return build_company(date(2026, 11, 11))


@pytest.fixture
def open_practice(tmp_path: Path, company: PracticeCompany) -> Iterator[Callable[..., House]]:
    """`open_practice()` → a house with the whole practice company, or with the one given."""
    from tests.house import open_house  # the unit tests of one part need no whole house

    opened: list[House] = []

    def open_one(of: PracticeCompany | None = None, **options: Any) -> House:
        folder = tmp_path / f"house-{len(opened)}"
        folder.mkdir()
        opened.append(open_house(folder, of or company, **options))
        return opened[-1]

    yield open_one
    for house in opened:
        house.close()


@pytest.fixture
def house(open_practice: Callable[..., House]) -> House:
    return open_practice()
