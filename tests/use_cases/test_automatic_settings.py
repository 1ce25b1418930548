"""The automatic settings: what is kept, what is refused with the reason, and that a refusal changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import Refused
from app.domain.mapping import FIELDS
from app.domain.settings.connection_settings import Automatic, ConflictPolicy, MailPolicy
from app.storage.enums import WebhookState
from app.use_cases.connections.automatic_settings import POLICY_ITEMS, AutomaticView, set_automatic, show_automatic
from app.web.i18n import wording
from tests.use_cases.engine_room import Room

EVERYTHING = {
    "directions": "both",
    "policy": "smarthr_wins",
    "item_policies": {"title": "freee_wins", "bank": "hold"},
    "quiet_seconds": "2.5",
    "sweep_minutes": "30",
    "mail": "failures",
}


def changed(room: Room, **changes: Any) -> AutomaticView:
    return set_automatic(room.ctx, room.connection.key, changes=changes)


def refused(room: Room, **changes: Any) -> dict[str, str]:
    """The faults by name; nothing has changed."""
    before = show_automatic(room.ctx, room.connection.key)
    with pytest.raises(Refused) as caught:
        changed(room, **changes)
    assert show_automatic(room.ctx, room.connection.key) == before
    return wording("ja").faults(caught.value)


def test_at_first_nothing_is_automatic_and_the_numbers_are_the_services(room: Room) -> None:
    view = show_automatic(room.ctx, room.connection.key)
    settings = room.ctx.settings
    assert (view.automatic, view.policy, view.item_policies) == (Automatic.OFF, ConflictPolicy.HOLD, {})
    assert (view.quiet_seconds, view.sweep_minutes) == (settings.quiet_seconds, settings.sweep_minutes)
    assert (view.mail, view.webhook, view.deaf) == (MailPolicy.CHANGES, WebhookState.NONE, False)


def test_everything_is_kept(room: Room) -> None:
    view = changed(room, **EVERYTHING)
    assert view == show_automatic(room.ctx, room.connection.key)
    assert (view.automatic, view.policy, view.mail) == (
        Automatic.BOTH,
        ConflictPolicy.SMARTHR_WINS,
        MailPolicy.FAILURES,
    )
    assert view.item_policies == {"title": ConflictPolicy.FREEE_WINS, "bank": ConflictPolicy.HOLD}
    assert (view.quiet_seconds, view.sweep_minutes) == (2.5, 30)
    with room.ctx.unit_of_work() as uow:
        connection = uow.connections.get(room.connection.id)
    assert connection is not None
    assert (connection.quiet_seconds, connection.sweep_minutes) == (2.5, 30)
    assert connection.mail_to == room.connection.mail_to


def test_what_is_not_named_stays_and_default_takes_an_own_value_back(room: Room) -> None:
    changed(room, **EVERYTHING)
    view = changed(room, item_policies={"title": "default", "phone": "hold"}, quiet_seconds="default")
    assert view.item_policies == {"bank": ConflictPolicy.HOLD, "phone": ConflictPolicy.HOLD}
    assert view.quiet_seconds == room.ctx.settings.quiet_seconds
    assert (view.automatic, view.sweep_minutes) == (Automatic.BOTH, 30)
    assert changed(room, sweep_minutes="default").sweep_minutes == room.ctx.settings.sweep_minutes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("directions", "sideways"),
        ("policy", "source_wins"),
        ("policy", "default"),
        ("item_policies", {"title": "source_wins"}),
        ("item_policies", {"title": ""}),
        ("quiet_seconds", "-1"),
        ("quiet_seconds", "601"),
        ("quiet_seconds", "nan"),
        ("quiet_seconds", "soon"),
        ("sweep_minutes", "4"),
        ("sweep_minutes", "1441"),
        ("sweep_minutes", "7.5"),
        ("mail", "never"),
        ("colour", "blue"),
    ],
)
def test_what_is_wrong_is_named(room: Room, name: str, value: Any) -> None:
    assert list(refused(room, **{name: value})) == [name]


def test_everything_wrong_is_named_at_once(room: Room) -> None:
    assert set(refused(room, directions="x", mail="y", sweep_minutes="z", policy="hold")) == {
        "directions",
        "mail",
        "sweep_minutes",
    }


@pytest.mark.parametrize("key", ["bank_code", "number", ""])
def test_an_unknown_item_is_answered_with_the_known_ones(room: Room, key: str) -> None:
    told = refused(room, item_policies={key: "hold"})["item_policies"]
    assert "bank" in told and "title" in told and "bank_code" not in told.partition("指定できる項目")[2]


def test_every_item_is_either_itself_or_part_of_the_account(room: Room) -> None:
    assert len(POLICY_ITEMS) == len(FIELDS) - 5 + 1
    view = changed(room, item_policies=dict.fromkeys(POLICY_ITEMS, "hold"))
    assert set(view.item_policies) == set(POLICY_ITEMS)


@pytest.mark.parametrize(("directions", "fine"), [("both", False), ("smarthr_to_freee", False), ("off", True)])
def test_towards_freee_needs_complete_export_settings(room: Room, directions: str, fine: bool) -> None:
    with room.ctx.unit_of_work() as uow:
        uow.connections.set_export_settings(room.connection.id, None)
    if fine:
        changed(room, directions=directions)
        changed(room, directions="freee_to_smarthr")
    else:
        assert "set-export-settings" in refused(room, directions=directions)["directions"]


@pytest.mark.parametrize(("directions", "deaf"), [("smarthr_to_freee", True), ("freee_to_smarthr", False)])
def test_who_reads_smarthr_without_a_webhook_is_deaf(room: Room, directions: str, deaf: bool) -> None:
    assert changed(room, directions=directions).deaf is deaf


def test_an_unknown_connection(room: Room) -> None:
    for work in (lambda: show_automatic(room.ctx, "nobody"), lambda: set_automatic(room.ctx, "nobody", changes={})):
        with pytest.raises(Refused) as caught:
            work()
        assert caught.value.status == 404
