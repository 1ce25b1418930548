"""Deleting a connection with its data: the question, what is ended first, what goes in portions, and what stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, func, select

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.storage.connections.deletions import PORTION, TABLES
from app.storage.tables.base import Base
from app.use_cases.connections import deletion
from app.use_cases.connections.deletion import PORTIONS, delete_connection, empty_deleted
from app.use_cases.upkeep import reconcile
from tests.web.made import add_delivery, add_run
from tests.web.visitor import PASSWORD, Visitor
from tests.web.wizard_house import Wizarding, wizard_house
from tests.web.world import KEY, NOW, World

Visit = Callable[..., Visitor]
NAME = "れんしゅう株式会社"
PAGE = f"/connections/{KEY}/delete"
KEPT = {"connections", "audit", "audit_head", "users", "sessions", "key_uses", "houses", "alembic_version", "sightings"}
"""Tables that hold something although the only connection is gone."""


def rows_in(world: World) -> dict[str, int]:
    """Table → rows, of those that hold any."""
    with world.database.engine.connect() as connection:
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }
    return {name: count for name, count in counts.items() if count}


def actions(world: World) -> list[str]:
    with world.ctx.unit_of_work() as uow:
        return [each.action for each in reversed(uow.audit.page(limit=100)) if each.subject == f"connection:{KEY}"]


def stocked(world: World) -> list[str]:
    """Runs of every kind, webhooks, people. Returns the runs that are not over."""
    add_delivery(world, "crew-1")
    add_run(world, ItemState.SUCCEEDED, ItemState.FAILED)
    previewed = add_run(world, ItemState.WAITING, ItemState.NEEDS_REVIEW, state=RunState.PREVIEWED)
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        uow.links.create(connection.id, "crew-1", "1", now=NOW)
    return [previewed]


def emptied(world: World) -> int:
    """The periodic job until it finds nothing more. Returns how often it had to work."""
    times = 0
    while deletion.being_deleted(world.ctx):
        reconcile.reconcile_once(world.ctx)
        empty_deleted(world.ctx)
        times += 1
        assert times < 50
    return times


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_question_tells_what_goes_and_what_stays(visit: Visit, world: World) -> None:
    stocked(world)
    admin = visit(Role.ADMIN)
    admin.open(f"/connections/{KEY}")
    assert PAGE in admin.text
    shown = admin.open(PAGE)
    assert f"「{NAME}」を削除しますか" in shown
    for told in (
        "連携履歴 3件",
        "紐付け 1組",
        "終わっていない同期と確認 2件",
        "操作記録",
        "どちらにも何も書き込みません",
    ):
        assert told in admin.words, told
    assert 'name="proof_password"' not in admin.text, "the sign-in was a moment ago"


def test_nothing_goes_without_the_name(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    admin.send(typed="れんしゅう")
    assert "接続の名前と一致しません" in admin.words and actions(world) == []
    assert 'value="れんしゅう"' in admin.text
    assert admin.page is not None and admin.page.status_code == 422


def test_nothing_goes_without_a_fresh_proof(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    world.clock.turn(minutes=6)
    admin.open(PAGE)
    admin.send(typed=NAME, proof_password="not-the-password")
    assert "いまのパスワードが違います" in admin.words and actions(world) == []
    admin.open(PAGE)
    admin.send(typed=NAME, proof_password=PASSWORD)
    assert "connection_deleted" in actions(world)


def test_a_deleted_connection_is_out_of_service_at_once(visit: Visit, world: World) -> None:
    (previewed,) = stocked(world)
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    admin.send(typed=f" {NAME} ")
    assert f"「{NAME}」の削除を始めました" in admin.words and "データを順に消しています" in admin.words
    assert admin.words.count("設定を開く") == 0
    assert admin.client.get(f"/connections/{KEY}").status_code == 404
    assert admin.client.post(f"/webhooks/smarthr/{KEY}", json={}).status_code in (401, 403, 404)
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(previewed)
    assert run is not None and run.ends_as is RunState.CANCELLED
    assert actions(world) == ["connection_deleted"]


def test_who_asks_twice_changes_nothing(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    form = dict(admin.form().fields) | {"typed": NAME}
    for _ in range(2):
        assert admin.client.post(PAGE, data=form).status_code == 303
    assert "すでに削除されています" in admin.open("/connections")
    assert actions(world).count("connection_deleted") == 1


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_nobody_else_may(role: Role, visit: Visit, world: World) -> None:
    who = visit(role)
    who.open("/account")
    assert who.client.get(PAGE).status_code == 403
    assert who.client.post(PAGE, data={"csrf_token": who.token, "typed": NAME}).status_code == 403
    assert actions(world) == []


# ── the data ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_its_data_goes_and_the_trail_stays(world: World) -> None:
    stocked(world)
    with world.ctx.unit_of_work() as uow:
        uow.audit.add(action="connection_added", subject=f"connection:{KEY}", now=NOW)
    delete_connection(world.ctx, KEY, typed=NAME, by="user:1")
    emptied(world)
    assert rows_in(world).keys() <= KEPT | {"processes", "leader", "tallies", "outbox"}
    assert rows_in(world).get("outbox", 0) == 0
    assert actions(world) == ["connection_added", "connection_deleted", "connection_emptied"]
    with world.ctx.unit_of_work() as uow:
        gone = uow.connections.get(1)
        assert gone is not None and (gone.name, gone.key) == (NAME, KEY)
        assert (gone.smarthr_subdomain, gone.freee_company_id, gone.export_settings) == ("", 0, None)
        assert tuple(gone.mail_to) == () and uow.connections.smarthr_token(1) == ""
        assert uow.connections.freee_tokens(1) is None


def test_the_data_of_another_connection_stays(world: World) -> None:
    with world.ctx.unit_of_work() as uow:
        other = uow.connections.add(
            key="other", name="別の会社", smarthr_subdomain="betsu", smarthr_token="t", freee_company_id=7, now=NOW
        )
        uow.links.create(other.id, "crew-9", "9", now=NOW)
    stocked(world)
    delete_connection(world.ctx, KEY, typed=NAME, by="user:1")
    emptied(world)
    assert (rows_in(world)["links"], rows_in(world)["connections"]) == (1, 2)
    with world.ctx.unit_of_work() as uow:
        assert [each.key for each in uow.connections.list_all()] == ["other"]
        assert uow.connections.smarthr_token(other.id) == "t"


def test_nothing_goes_while_somebody_is_being_written(world: World) -> None:
    add_run(world, ItemState.RUNNING)
    before = rows_in(world)
    delete_connection(world.ctx, KEY, typed=NAME, by="user:1")
    assert empty_deleted(world.ctx) == 0
    assert rows_in(world)["items"] == before["items"]
    with world.ctx.unit_of_work() as uow:
        assert uow.connections.smarthr_token(1) == "an-invented-token", "what is being written can still end"


def test_one_turn_of_the_job_is_bounded(world: World) -> None:
    many = PORTION * PORTIONS + 1
    with world.ctx.unit_of_work() as uow:
        for number in range(many):
            uow.links.create(1, f"crew-{number}", str(number), now=NOW)
    delete_connection(world.ctx, KEY, typed=NAME, by="user:1")
    assert empty_deleted(world.ctx) == PORTION * PORTIONS
    assert rows_in(world)["links"] == 1 and actions(world) == ["connection_deleted"]
    assert empty_deleted(world.ctx) == 1 and actions(world)[-1] == "connection_emptied"
    assert empty_deleted(world.ctx) == 0 and actions(world).count("connection_emptied") == 1


def test_the_same_pair_can_be_connected_again(world: World) -> None:
    delete_connection(world.ctx, KEY, typed=NAME, by="user:1")
    with world.ctx.unit_of_work() as uow:
        pair = {"smarthr_subdomain": "awase-renshu", "freee_company_id": 1234567}
        made = uow.connections.add(key="again", name=NAME, smarthr_token="t", now=NOW, **pair)
    emptied(world)
    with world.ctx.unit_of_work() as uow:
        assert [each.id for each in uow.connections.list_all()] == [made.id]


def test_everything_that_belongs_to_a_connection_is_in_the_table() -> None:
    """A table with a column `connection_id` is emptied; any other that leads to one goes with the row it names."""

    def leads(name: str) -> bool:
        parents = _parents(Base.metadata.tables[name].foreign_keys)
        return name == "connections" or any(leads(each.column.table.name) for each in parents)

    def _parents(keys: set[ForeignKey]) -> list[ForeignKey]:
        return [each for each in keys if each.column.table is not each.parent.table]

    emptied_tables = {table.name for table in TABLES}
    missing = []
    for table in Base.metadata.sorted_tables:
        if table.name == "connections" or table.name in emptied_tables or not leads(table.name):
            continue
        owners = [each for each in _parents(table.foreign_keys) if leads(each.column.table.name)]
        if not all(each.ondelete == "CASCADE" for each in owners):
            missing.append(table.name)
    assert missing == []
    assert {"items", "runs", "links", "directory", "mails", "deliveries", "known_people"} <= emptied_tables
    assert [each.name for each in TABLES].index("items") < [each.name for each in TABLES].index("runs")


# ── a whole house ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def wizarding(tmp_path: Path) -> Iterator[Wizarding]:
    with wizard_house(tmp_path, connected=True) as made:
        yield made


@pytest.mark.database("sqlite")
@pytest.mark.reach("test")
def test_after_real_runs_nothing_is_left_and_the_vendors_keep_theirs(wizarding: Wizarding) -> None:
    house, admin = wizarding.house, wizarding.admin
    admin.open(f"/connections/{house.connection.key}")
    admin.send("/webhook", press=("answer", "register"))
    for direction in Direction:
        house.run(direction)
    house.run(Direction.SMARTHR_TO_FREEE, dry_run=True)
    crews, writes = len(house.smarthr.crews), house.writes()
    name = house.connection.name
    admin.open(f"/connections/{house.connection.key}/delete")
    admin.send(typed=name)
    assert "削除を始めました" in admin.words and house.smarthr.state.webhooks == {}
    for _ in range(50):
        house.work()
        if not empty_deleted(house.ctx):
            break
    with house.database.engine.connect() as connection:
        left = {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
            if table.name
            not in KEPT | {"sign_in_brakes", "processes", "leader", "tallies", "token_doors", "storing_proofs"}
        }
    assert {each: count for each, count in left.items() if count} == {}
    assert (len(house.smarthr.crews), house.writes()) == (crews, writes + 1), "of which the registration was one"
