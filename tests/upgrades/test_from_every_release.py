"""From every release to this version: its database is migrated while its processes write, and the run in whose middle
it was killed is finished by this version. Nobody is lost, nobody is doubled, each run has one mail, no error is logged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from app.domain.enums import Direction
from app.storage.schema import migrate
from app.use_cases.intake.webhook_intake import sort_received
from app.use_cases.monitoring.audit_check import check_audit
from tests.house import House
from tests.upgrades.leave import schema_of, small_company
from tests.upgrades.releases import RELEASES, Left, Release
from tests.upgrades.restoring import restore, wake
from tests.upgrades.traffic import OldProcess
from tests.web.application import application_on

pytestmark = [pytest.mark.reach("all"), pytest.mark.sql, pytest.mark.timeout(300)]

EVERY = pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.revision)
TO_FREEE = Direction.SMARTHR_TO_FREEE
WORKED_ON = 10
"""Webhooks that the version before stores after the migration."""


@pytest.fixture
def reference(open_practice: Callable[..., House]) -> House:
    """The same company as this version leaves it alone."""
    house = open_practice(small_company())
    house.run(TO_FREEE)
    return house


@pytest.fixture
def empty(empty_url: Callable[[Path], str], tmp_path: Path) -> str:
    return empty_url(tmp_path)


@pytest.fixture
def upgraded(empty: str, tmp_path: Path, release: Release) -> Iterator[tuple[House, Left, list[str]]]:
    """The release's house after the upgrade, what it had left, the webhooks that it has answered."""
    left = restore(release, empty)
    before = OldProcess(empty, person=small_company().crews[0]["id"])
    before.start()
    try:
        migrate(empty)
        before.await_stored(WORKED_ON)
    finally:
        before.stop()
    assert before.errors == []
    house = wake(tmp_path, empty, left)
    yield house, left, before.stored
    house.close()


@pytest.mark.database("sqlite")
@EVERY
def test_a_released_migration_is_never_edited(empty: str, tmp_path: Path, release: Release) -> None:
    """The present scripts make the very schema that the release has made."""
    migrate(empty, release.revision)
    assert schema_of(tmp_path / "awase.db") == release.left().head["schema"]


@EVERY
def test_the_run_in_progress_is_finished_once(
    upgraded: tuple[House, Left, list[str]], reference: House, release: Release
) -> None:
    house, left, webhooks = upgraded
    runs = {name: str(run) for name, run in left.head["runs"].items()}
    open_before = items_of(house, runs["in_progress"])
    assert Counter(state for _, state in open_before)["waiting"] > 1
    assert (left.head["half_written"], "running") in open_before
    with structlog.testing.capture_logs() as lines:
        finish(house)
    assert [line for line in lines if line["log_level"] in ("error", "critical")] == []
    for run in runs.values():
        assert (
            asked(house, "SELECT count(*) FROM runs WHERE public_id = :run AND finished_at IS NOT NULL", run=run) == 1
        )
        assert mails_of(house, run) == [("summary", "sent")]
    assert len(house.postbox.mails) == len(runs) - 1, "the first run's mail has left before"
    after = items_of(house, runs["in_progress"])
    assert {item for item, _ in open_before} <= {item for item, _ in after}
    assert not {"waiting", "running"} & {state for _, state in after}
    assert numbers(house) == numbers(reference), "nobody is doubled, nobody is lost"
    assert told_of(house, webhooks) == {"ignored"}, "no webhook is lost; the connection syncs nobody by itself"
    again = {item.employee_number: item.state for item in house.items(house.run(TO_FREEE))}
    assert again == {item.employee_number: item.state for item in reference.items(reference.run(TO_FREEE))}


@EVERY
def test_keys_users_and_the_audit_trail_go_on(upgraded: tuple[House, Left, list[str]], release: Release) -> None:
    house, left, _ = upgraded
    finish(house)
    client = application_on(house.ctx).test_client()
    key = {"Authorization": f"Bearer {left.head['api_key']}"}
    for run in left.head["runs"].values():
        answer = client.get(f"/api/v1/runs/{run}", headers=key)
        assert answer.status_code == 200
        assert answer.get_json()["finished_at"]
    started = client.post(
        "/api/v1/runs",
        headers=key,
        json={"connection": house.connection.key, "direction": "freee_to_smarthr", "as_of_date": "2026-11-11"}
        | {"employees": "all", "dry_run": True},
    )
    assert started.status_code == 202, "and its act is the next entry of the audit trail"
    check = check_audit(house.ctx)
    assert (check.ok, check.waiting) == (True, 0)
    assert check.entries > 2


def finish(house: House) -> None:
    sort_received(house.ctx)
    house.work()


def asked(house: House, query: str, **values: object) -> Any:
    with house.database.engine.connect() as connection:
        return connection.execute(text(query), values).scalar()


def rows(house: House, query: str, **values: object) -> list[tuple[Any, ...]]:
    with house.database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def items_of(house: House, run: str) -> list[tuple[int, str]]:
    query = "SELECT items.id, items.state FROM items JOIN runs ON runs.id = run_id WHERE public_id = :run"
    return rows(house, query, run=run)


def mails_of(house: House, run: str) -> list[tuple[str, str]]:
    query = "SELECT kind, mails.state FROM mails JOIN runs ON runs.id = run_id WHERE public_id = :run"
    return rows(house, query, run=run)


def told_of(house: House, webhooks: list[str]) -> set[str]:
    kept = dict(rows(house, "SELECT dedup, state FROM deliveries"))
    return {kept.get(each, "lost") for each in webhooks}


def numbers(house: House) -> Counter[str]:
    """従業員番号 → how many people of freee's have it."""
    return Counter(str(employee["num"]) for employee in house.freee.dump()["employees"])
