"""The audit trail as a chain: whoever changes it behind our back is found, whoever writes beside us is taken in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from app.domain.access.audit_chain import GENESIS, digest_of, head_seal_of, seal_of
from app.domain.access.origin import Door, Origin, coming_from
from app.storage.access.rows import AuditRow
from app.storage.tables.access_models import AuditTable
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from app.use_cases.monitoring.audit_check import AuditCheck, check_audit
from tests.together import together
from tests.web.world import NOW, World

pytestmark = pytest.mark.sql


def add(world: World, count: int = 1, **told: Any) -> None:
    for n in range(count):
        with world.ctx.unit_of_work() as uow:
            given = {"actor": "cli", "action": "run_started", "subject": f"run:{n}", "detail": {"n": n, "名": "値"}}
            uow.audit.add(now=world.clock.now(), **{**given, **told})


def chain(world: World) -> list[AuditRow]:
    with world.ctx.unit_of_work().reading() as uow:
        return uow.audit.chain(after=0, up_to=10**9)


def found(world: World, **asked: Any) -> set[tuple[int, str]]:
    return {(fault.position, fault.kind.value) for fault in check_audit(world.ctx, **asked).faults}


def behind_our_back(engine: Engine, *statements: str, **values: Any) -> None:
    """As the owner of the database can: without our triggers."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_is_not_changed"))
            connection.execute(text("DROP TRIGGER IF EXISTS audit_is_not_deleted"))
        for statement in statements:
            connection.execute(text(statement), values)
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = origin"))


def test_a_trail_that_nobody_touched_is_whole(world: World) -> None:
    assert check_audit(world.ctx) == AuditCheck(0, 0, GENESIS, (), 0)
    with coming_from(Origin(Door.SCREEN, "user:1", "192.0.2.7", {"request": "r"})):
        add(world, 3, changes={"role": ("viewer", "admin"), "same": (1, 1), "token": ("", "changed")})
    checked = check_audit(world.ctx)
    assert (checked.ok, checked.entries, checked.head) == (True, 3, 3)
    row = chain(world)[0]
    assert (row.door, row.address, row.via) == ("screen", "192.0.2.7", {"request": "r"})
    assert row.detail["changes"] == {"role": ["viewer", "admin"], "token": ["", "changed"]}


@pytest.mark.parametrize(
    ("statements", "faults"),
    [
        (["UPDATE audit SET actor = 'user:9' WHERE position = 3"], {(3, "changed")}),
        (["UPDATE audit SET address = '192.0.2.9' WHERE position = 1"], {(1, "changed")}),
        (["DELETE FROM audit WHERE position = 3"], {(3, "missing"), (4, "changed")}),
        (["DELETE FROM audit WHERE position = 1"], {(1, "missing"), (2, "changed")}),
        (["DELETE FROM audit WHERE position > 3"], {(4, "cut")}),
        (["UPDATE audit SET seal = NULL WHERE position = 4"], {(4, "forged")}),
        (["UPDATE audit_head SET seal = 'x'"], {(5, "head")}),
        (["UPDATE audit SET seal = NULL", "UPDATE audit_head SET seal = NULL, key_enc = NULL"], {(5, "head")}),
        (
            [
                "UPDATE audit SET position = 99 WHERE position = 2",
                "UPDATE audit SET position = 2 WHERE position = 3",
                "UPDATE audit SET position = 3 WHERE position = 99",
            ],
            {(2, "changed"), (3, "changed"), (4, "changed")},
        ),
        (
            [
                "UPDATE audit SET position = 6 WHERE position = 5",
                "INSERT INTO audit (at, actor, action, subject, detail, position, digest) "
                "SELECT at, actor, action, subject, detail, 5, digest FROM audit WHERE position = 4",
                "UPDATE audit_head SET position = 6",
            ],
            {(5, "changed"), (6, "changed"), (6, "head")},
        ),
    ],
    ids=lambda given: given[0][:60] if isinstance(given, list) else "",
)
def test_what_was_done_behind_our_back_is_named(statements: list[str], faults: set[Any], world: World) -> None:
    add(world, 5)
    behind_our_back(world.database.engine, *statements)
    assert found(world) == faults


def test_a_chain_that_somebody_computed_anew_has_not_our_seals(world: World) -> None:
    """Also when we go on behind it: what was forged stays forged."""
    add(world, 3)
    rows, digest = chain(world), GENESIS
    for row in rows:
        entry = {**row.covered, "actor": "user:9"}
        digest = digest_of(entry, digest)
        behind_our_back(
            world.database.engine,
            "UPDATE audit SET actor = 'user:9', digest = :digest, seal = :seal WHERE position = :position",
            digest=digest,
            seal=seal_of(digest, b"another key"),
            position=row.position,
        )
    seal = head_seal_of(3, digest, b"another key")
    behind_our_back(world.database.engine, "UPDATE audit_head SET digest = :d, seal = :s", d=digest, s=seal)
    assert found(world) == {(1, "forged"), (2, "forged"), (3, "forged"), (3, "head")}
    add(world)
    assert found(world) == {(1, "forged"), (2, "forged"), (3, "forged")}


def test_an_older_head_with_a_cut_tail_is_found_by_a_head_that_was_noted(world: World) -> None:
    add(world, 3)
    with world.database.engine.connect() as connection:
        old = connection.execute(text("SELECT position, digest, seal FROM audit_head")).one()
    add(world, 2)
    noted = check_audit(world.ctx)
    behind_our_back(
        world.database.engine,
        "DELETE FROM audit WHERE position > 3",
        "UPDATE audit_head SET position = :p, digest = :d, seal = :s",
        **dict(zip("pds", old, strict=True)),
    )
    assert found(world) == set()
    assert found(world, noted=(noted.head, noted.digest)) == {(4, "other_head")}
    add(world, 2, actor="user:9")
    assert found(world, noted=(noted.head, noted.digest)) == {(5, "other_head")}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = 'x'", "UPDATE audit SET digest = 'x'", "DELETE FROM audit", "TRUNCATE audit"],
)
def test_the_database_refuses_every_change(statement: str, world: World) -> None:
    add(world, 2)
    if statement.startswith("TRUNCATE") and world.database.engine.dialect.name == "sqlite":
        return
    with pytest.raises(DBAPIError), world.database.engine.begin() as connection:
        connection.execute(text(statement))
    assert check_audit(world.ctx).ok


def test_rows_of_the_version_before_are_taken_in_and_its_tidying_deletes_nothing(world: World) -> None:
    """It knows neither chain nor head, and may go on beside us while an upgrade is rolled out."""
    old = world.clock.now() - timedelta(days=4000)
    add(world)
    columns = {"actor": "nobody", "action": "sign_in_failed", "subject": "user:0", "detail": {}}
    with world.database.engine.begin() as connection:
        connection.execute(AuditTable.__table__.insert(), [{**columns, "at": old}, {**columns, "at": NOW}])
        gone = connection.execute(text("DELETE FROM audit WHERE action = 'sign_in_failed' AND at < '2025-01-01'"))
    assert gone.rowcount == 0
    assert (check_audit(world.ctx).waiting, check_audit(world.ctx).entries) == (2, 1)
    add(world)
    assert [row.action for row in chain(world)] == ["run_started", "sign_in_failed", "sign_in_failed", "run_started"]
    assert (check_audit(world.ctx).ok, check_audit(world.ctx).waiting) == (True, 0)


def test_what_is_purged_leaves_a_chain_that_can_be_checked(world: World) -> None:
    add(world, 4)
    world.clock.turn(days=10)
    add(world, 2)
    before = world.clock.now() - timedelta(days=5)
    with world.ctx.unit_of_work() as uow:
        assert uow.audit.purge(before=before, now=world.clock.now()) == 4
    rows = chain(world)
    assert [row.position for row in rows] == [5, 6, 7]
    with world.ctx.unit_of_work().reading() as uow:
        assert rows[-1].detail == {"entries": 4, "position": 4, "digest": uow.audit.head().purged_digest}
    assert check_audit(world.ctx).ok
    digest = rows[0].digest
    behind_our_back(
        world.database.engine,
        "UPDATE audit_head SET purged = 5, purged_digest = :digest",
        "DELETE FROM audit WHERE position = 5",
        digest=digest,
    )
    assert found(world) == {(5, "not_purged")}, "no entry says so"
    with world.ctx.unit_of_work() as uow:
        assert uow.audit.purge(before=world.clock.now() + timedelta(days=1), now=NOW) == 1
    assert len(chain(world)) == 2, "the last entry stays"


def test_an_act_that_failed_leaves_neither_entry_nor_gap(world: World) -> None:
    add(world)
    with pytest.raises(ZeroDivisionError), world.ctx.unit_of_work() as uow:
        uow.audit.add(action="run_started", subject="run:x", now=NOW)
        raise ZeroDivisionError
    add(world)
    assert [row.position for row in chain(world)] == [1, 2] and check_audit(world.ctx).ok


def test_many_who_write_at_once_make_one_chain(world: World) -> None:
    together(lambda _: add(world, 5), 4)
    assert [row.position for row in chain(world)] == list(range(1, 21)) and check_audit(world.ctx).ok


@pytest.mark.database("postgresql")
def test_who_writes_no_entry_waits_for_nobody(world: World) -> None:
    """Webhooks and employees' jobs: while somebody holds the head, and would for 20 seconds."""
    add(world)
    with world.database.engine.connect() as held:
        held.execute(text("SELECT * FROM audit_head FOR UPDATE"))
        impatient = Database(
            str(world.ctx.settings.database_url) + "&options=-c%20lock_timeout%3D50",
            Vault(world.ctx.settings.encryption_keys),
        )
        with impatient.unit_of_work() as uow:
            uow.counters.add({("deliveries", ()): 1})
        with pytest.raises(DBAPIError), impatient.unit_of_work() as uow:
            uow.audit.add(action="run_started", subject="run:x", now=NOW)
        impatient.dispose()
        held.rollback()


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    detail=st.dictionaries(
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5), PLAIN, max_size=3
    )
)
@pytest.mark.reach("test")
def test_whatever_the_details_are_they_come_back_as_they_were_chained(detail: dict[str, Any], world: World) -> None:
    add(world, detail=detail)
    assert check_audit(world.ctx).ok


def test_where_an_act_comes_from_ends_with_its_door(world: World) -> None:
    with coming_from(Origin(Door.CLI, "cli", via={"os_user": "alice"})):
        add(world, actor=None)
    add(world, actor=None)
    assert [(row.actor, row.door) for row in chain(world)] == [("cli", "cli"), ("service", "service")]
