"""What every test stands on: no socket beyond this machine, an empty database on SQLite and on PostgreSQL, and a house
with both practice vendors when asked for. Which of them `make check`, `make test` and `make test-all` run: `reach.py`.
"""

from __future__ import annotations

import gc
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from pytest_socket import socket_allow_hosts

import tests.compiled
import tests.properties  # noqa: F401 - loads the profile before any test module is read
from app.practice.staff.practice_company import PracticeCompany, build_company
from tests.reach import REACHES, TEST, beyond_reach

if TYPE_CHECKING:
    from tests.house import House
    from tests.storage.shelf import Shelf

os.environ["FLASK_SKIP_DOTENV"] = "1"  # a .env in the checkout is somebody's service, and no part of a test
SQLITE, POSTGRESQL = "sqlite", "postgresql"
MEMORY = Path("/dev/shm")
ROOM_WANTED = 1024**3
NEW_OBJECTS = 10_000  # as in workers.worker, which is too much to load for a number
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reach", choices=REACHES, default=TEST, help="how much is run: tests/reach.py says what")
    parser.addoption(
        "--screenshots", action="store_true", help="the browser tests renew the pictures in docs/screenshots"
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "database(kind): about this kind of database (sqlite or postgresql) and no other",
        "sql: about SQL, so its PostgreSQL twin runs in `make test` (elsewhere in `make test-all`)",
        "reach(name): belongs to `make test` or only to `make test-all`: tests/reach.py",
        "few(number): so many of its cases belong to `make test`, spread from the first to the last: tests/reach.py",
    ):
        config.addinivalue_line("markers", marker)
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_WANTED:
        # A thousand small SQLite files: in memory they cost nothing, on a slow disk more than the tests.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever stands on a database runs on both, unless the test is about one of them."""
    if "database_kind" not in metafunc.fixturenames:
        return
    about = metafunc.definition.get_closest_marker("database")
    kinds = list(about.args) if about else [SQLITE, POSTGRESQL]
    marks = {SQLITE: [], POSTGRESQL: [pytest.mark.postgresql]}
    metafunc.parametrize("database_kind", [pytest.param(kind, marks=marks[kind]) for kind in kinds])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    beyond = beyond_reach(items, config.getoption("reach"))
    if beyond:
        config.hook.pytest_deselected(items=beyond)
        left_out = set(beyond)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Ten thousand tests and what they import stay to the end: the collector need not walk through them again. Like the
    workers, the tests make many objects that go by themselves; looked through less often, they take 6 % less time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 20)


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """What a test sets about the log ends with it: at a level for errors the next one would find none of its lines."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


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
def postgresql_shelf(cluster: Path) -> Iterator[Shelf]:
    """Migrated databases which go from test to test."""
    from tests.storage.shelf import Shelf

    with Shelf(cluster) as shelf:
        yield shelf


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_kind: str) -> Iterator[Callable[[Path], str]]:
    """`empty_url(folder)` → the URL of a new database without tables, which is gone after the test. For tests which
    make, change or drop tables."""
    if database_kind == SQLITE:
        yield lambda folder: f"sqlite:///{folder / 'awase.db'}"
        return
    from tests.storage.servers import create_database, drop_database

    cluster = request.getfixturevalue("cluster")
    names: list[str] = []

    def create(_folder: Path) -> str:
        names.append(f"test_{next(_numbers)}")
        return create_database(cluster, names[-1])

    yield create
    for name in names:
        drop_database(cluster, name)


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, database_kind: str) -> Iterator[Callable[[Path], str]]:
    """`migrated_url(folder)` → the URL of a database at the newest revision without a row, which nobody else uses; on
    SQLite the new file `awase.db` in the folder. On PostgreSQL the database of the test before, emptied."""
    if database_kind == SQLITE:
        from tests.new_database import new_database

        yield lambda folder: new_database(folder / "awase.db")
        return
    shelf = request.getfixturevalue("postgresql_shelf")
    taken: list[str] = []

    def take(_folder: Path) -> str:
        taken.append(shelf.take())
        return shelf.url(taken[-1])

    yield take
    for name in taken:
        shelf.give_back(name)


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
