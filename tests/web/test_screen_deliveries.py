"""届いた通知 on the screen: the list and its filters, one of them, doing them once more after a look at how many."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.domain.access.roles import Role
from tests.web.hooks import listen, rows, send_smarthr, smarthr_body
from tests.web.visitor import Visitor
from tests.web.world import KEY, World

Visit = Callable[..., Visitor]


@pytest.fixture
def told(world: World, client: FlaskClient) -> World:
    """Three webhooks of SmartHR, an hour between them, the last of an event we do not know."""
    listen(world)
    for event, crew in (("crew_updated", "crew-1"), ("crew_updated", "crew-2"), ("crew_moved", "crew-3")):
        send_smarthr(client, smarthr_body(event, crew))
        world.clock.turn(hours=1)
    return world


def numbers(visitor: Visitor) -> list[str]:
    """Ids in the list, as shown."""
    return [word for word in visitor.words.split() if word.startswith("#")]


def audit(world: World) -> list[tuple[str, str]]:
    with world.ctx.unit_of_work() as uow:
        return [(entry.action, entry.subject) for entry in uow.audit.page() if "deliver" in entry.action]


def test_without_any(visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine/deliveries")
    assert "この条件に合う通知はありません。" in ops.words


def test_the_newest_first_and_filtered(told: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine/deliveries")
    assert numbers(ops) == ["#3", "#2", "#1"] and "crew-1" not in ops.text
    for chosen, expected in (
        ({"state": "unknown"}, ["#3"]),
        ({"system": "freee"}, []),
        ({"connection": KEY, "state": "accepted"}, ["#2", "#1"]),
        ({"since": "2026-11-22T12:30", "until": "2026-11-22T13:00"}, ["#2"]),
        ({"state": "nonsense", "connection": "nobody", "since": "yesterday", "after": "-1"}, ["#3", "#2", "#1"]),
    ):
        ops.open("/engine/deliveries?" + "&".join(f"{name}={value}" for name, value in chosen.items()))
        assert numbers(ops) == expected, chosen


def test_one_with_what_became_of_it(told: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine/deliveries/1")
    assert "crew-1" in ops.words and "同期に追加" in ops.words and "受付済み" not in ops.words
    ops.open("/engine/deliveries/99", status=404)


def test_one_is_done_again(told: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine/deliveries/1")
    ops.send("/replay")
    assert "1人を同期に加えました。" in ops.words and "やり直し1回" in ops.words
    assert audit(told) == [("delivery_replayed", "delivery:1")]


def test_several_are_done_again_after_a_look_at_how_many(told: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine/deliveries?state=accepted")
    assert "この条件の通知をやり直す" not in ops.words
    ops.open("/engine/deliveries/replay?state=accepted&since=2026-11-22T12:00")
    assert "2件の通知をやり直します。" in ops.words and audit(told) == []
    ops.send("/engine/deliveries/replay")
    assert "2件の通知をやり直し、2人を同期に加えました。" in ops.words
    assert audit(told) == [("deliveries_replayed", "deliveries")]


def test_without_a_beginning_nothing_is_done_again(told: World, visit: Visit) -> None:
    before = rows(told.database)
    ops = visit(Role.OPS)
    ops.open("/engine/deliveries/replay?state=accepted")
    ops.send("/engine/deliveries/replay")
    assert "いつ以後の通知かを指定してください" in ops.words
    assert (rows(told.database), audit(told)) == (before, [])


def test_where_none_match_there_is_nothing_to_press(told: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine/deliveries/replay?failed=1")
    assert "この条件に合う通知はありません。" in ops.words and "csrf_token" not in ops.text.split("<main")[1]
