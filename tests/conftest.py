"""What every test stands on: no socket beyond this machine, a database of its own on SQLite and on PostgreSQL, and a
house with both practice vendors when asked for.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

from app.practice.staff.practice_company import PracticeCompany, build_company

if TYPE_CHECKING:
    from tests.house import House

settings.register_profile("awase", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("awase")

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--both-databases",
        action="store_true",
        help="on PostgreSQL also what it sees in CI only: tests marked both_in_ci",
    )

    parser.addoption(
        "--screenshots", action="store_true", help="the browser tests renew the pictures in docs/screenshots"
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "database(kind): about this kind of database (sqlite or postgresql) and no other",
        "both_in_ci: many long cases; on SQLite always, on PostgreSQL where CI is set or --both-databases is given",
    ):
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever stands on a database runs on both, unless one of the two markers says otherwise."""
    if "database_kind" not in metafunc.fixturenames:
        return
    about = metafunc.definition.get_closest_marker("database")
    later = metafunc.definition.get_closest_marker("both_in_ci")
    everything = bool(os.environ.get("CI")) or metafunc.config.getoption("both_databases")
    kinds = [SQLITE] if later and not everything else [SQLITE, POSTGRESQL]
    if about:
        kinds = list(about.args)
    marks = {SQLITE: [], POSTGRESQL: [pytest.mark.postgresql]}
    metafunc.parametrize("database_kind", [pytest.param(kind, marks=marks[kind]) for kind in kinds])


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


def missing(reason: str) -> None:
    """A component this machine lacks: the test is skipped with the reason, and fails where CI promises everything."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def proc() -> None:
    """For tests that find processes, or their memory, through /proc."""
    if not Path("/proc/self/stat").exists():
        missing("there is no /proc on this machine to find processes through")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The folder with the socket of a PostgreSQL server of the tests' own."""
    from tests.storage.servers import missing_parts, running_cluster  # only where a database is wanted

    reason = missing_parts()
    if reason:
        missing(reason)
    with running_cluster() as socket:
        yield socket


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: to migrate anew takes longer than most tests."""
    from app.storage.schema import migrate

    path = tmp_path_factory.mktemp("template") / "awase.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(cluster: Path) -> str:
    """The name of a migrated database to copy."""
    from app.storage.schema import migrate
    from tests.storage.servers import create_database

    migrate(create_database(cluster, "template_of_tests"))
    return "template_of_tests"


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_kind: str) -> Iterator[Callable[[Path], str]]:
    """`empty_url(folder)` → the URL of a new database without tables, which is gone after the test."""
    yield from _new_databases(request, database_kind, migrated=False)


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, database_kind: str) -> Iterator[Callable[[Path], str]]:
    """`migrated_url(folder)` → the URL of a new database at the newest revision; on SQLite `awase.db` in the folder."""
    yield from _new_databases(request, database_kind, migrated=True)


def _new_databases(request: pytest.FixtureRequest, kind: str, *, migrated: bool) -> Iterator[Callable[[Path], str]]:
    if kind == SQLITE:
        yield lambda folder: _new_file(folder, request.getfixturevalue("sqlite_template") if migrated else None)
        return
    from tests.storage.servers import create_database, drop_database

    cluster = request.getfixturevalue("cluster")
    template = request.getfixturevalue("postgresql_template") if migrated else None
    names: list[str] = []

    def create(_folder: Path) -> str:
        names.append(f"test_{next(_numbers)}")
        return create_database(cluster, names[-1], template=template)

    yield create
    for name in names:
        drop_database(cluster, name)


def _new_file(folder: Path, template: Path | None) -> str:
    if template:
        shutil.copy(template, folder / "awase.db")
    return f"sqlite:///{folder / 'awase.db'}"


@pytest.fixture(scope="session")
def company() -> PracticeCompany:
    """The practice company on an ordinary day in the middle of a month. Read only."""
    return build_company(date(2026, 11, 11))


@pytest.fixture
def open_practice(
    tmp_path: Path, company: PracticeCompany, migrated_url: Callable[[Path], str]
) -> Iterator[Callable[..., House]]:
    """`open_practice()` → a house with the whole practice company, or with the one given, on a database of its own."""
    from tests.house import open_house  # the unit tests of one part need no whole house

    opened: list[House] = []

    def open_one(of: PracticeCompany | None = None, **options: Any) -> House:
        folder = tmp_path / f"house-{len(opened)}"
        folder.mkdir()
        options = {"DATABASE_URL": migrated_url(folder), **options}
        opened.append(open_house(folder, of or company, **options))
        return opened[-1]

    yield open_one
    for house in opened:
        house.close()


@pytest.fixture
def house(open_practice: Callable[..., House]) -> House:
    return open_practice()
