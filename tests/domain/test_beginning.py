"""Which changes of the settings begin with a preview, and what rests when it was not chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.mapping import BY_KEY
from app.domain.planning.beginning import BeginReason, beginnings_by
from app.domain.planning.declined import declined_by, declined_changes
from app.domain.planning.plan import Change
from app.domain.planning.rule_version import stamped
from app.domain.settings.connection_settings import (
    Automatic,
    BlankPolicy,
    ConflictPolicy,
    Connection,
    ExportSettings,
    MailPolicy,
    PayType,
)
from app.domain.snapshot import BLANK

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
BOTH = Connection(1, "renshu", "練習用の会社", "mihon", 7, None, automatic=Automatic.BOTH)
ONE_WAY = replace(BOTH, automatic=Automatic.SMARTHR_TO_FREEE)
OFF = replace(BOTH, automatic=Automatic.OFF)


def everywhere(reason: BeginReason) -> dict[Direction, BeginReason]:
    return dict.fromkeys(Direction, reason)


@pytest.mark.parametrize(
    ("before", "changes", "expected"),
    [
        (OFF, {"automatic": Automatic.BOTH}, everywhere(BeginReason.SWITCHED_ON)),
        (OFF, {"automatic": Automatic.FREEE_TO_SMARTHR}, {TO_SMARTHR: BeginReason.SWITCHED_ON}),
        (ONE_WAY, {"automatic": Automatic.BOTH}, {TO_SMARTHR: BeginReason.DIRECTION_WIDENED}),
        (ONE_WAY, {"automatic": Automatic.FREEE_TO_SMARTHR}, {TO_SMARTHR: BeginReason.DIRECTION_WIDENED}),
        (BOTH, {"automatic": Automatic.SMARTHR_TO_FREEE}, {}),
        (
            replace(BOTH, conflict_policy=ConflictPolicy.SMARTHR_WINS),
            {"automatic": Automatic.SMARTHR_TO_FREEE},
            {TO_FREEE: BeginReason.POLICY_CHANGED},
        ),
        (replace(BOTH, conflict_policy=ConflictPolicy.FREEE_WINS), {"automatic": Automatic.SMARTHR_TO_FREEE}, {}),
        (BOTH, {"automatic": Automatic.OFF, "conflict_policy": ConflictPolicy.FREEE_WINS}, {}),
        (BOTH, {"conflict_policy": ConflictPolicy.SMARTHR_WINS}, everywhere(BeginReason.POLICY_CHANGED)),
        (
            BOTH,
            {"conflict_policies": {"title": ConflictPolicy.FREEE_WINS}},
            everywhere(BeginReason.POLICY_CHANGED),
        ),
        (BOTH, {"conflict_policies": {"bank": ConflictPolicy.FREEE_WINS}}, everywhere(BeginReason.POLICY_CHANGED)),
        (BOTH, {"conflict_policies": {"title": ConflictPolicy.HOLD}}, {}),
        (
            replace(BOTH, excluded=frozenset({"title"})),
            {"conflict_policies": {"title": ConflictPolicy.FREEE_WINS}},
            {},
        ),
        (
            replace(BOTH, excluded=frozenset({"title"})),
            {"excluded": frozenset()},
            everywhere(BeginReason.ITEM_INCLUDED),
        ),
        (BOTH, {"excluded": frozenset({"title"})}, {}),
        (BOTH, {"blank_policies": {"title": BlankPolicy.ERASE}}, everywhere(BeginReason.BLANK_RULE_CHANGED)),
        (BOTH, {"blank_policies": {"title": BY_KEY["title"].blank}}, {}),
        (BOTH, {"include_building": False}, everywhere(BeginReason.OPTIONS_CHANGED)),
        (BOTH, {"create_positions": True}, everywhere(BeginReason.OPTIONS_CHANGED)),
        (BOTH, {"export_settings": ExportSettings("固定時間制", "正社員", PayType.MONTHLY, 1)}, {}),
        (BOTH, {"quiet_seconds": 3.0, "sweep_minutes": 5, "mail_policy": MailPolicy.ALWAYS, "name": "別の名前"}, {}),
    ],
)
def test_a_change_begins_with_a_preview_when_the_plan_of_somebody_may_change(
    before: Connection, changes: dict[str, Any], expected: dict[Direction, BeginReason]
) -> None:
    assert beginnings_by(before, replace(before, **changes)) == expected


def digest(key: str, form: str) -> str:
    return stamped(f"{key} {form}")


def test_a_change_that_was_not_chosen_rests_until_one_of_its_values_moves() -> None:
    title = Change("title", "課長", "部長")
    declined = declined_by([title], digest)
    assert declined_changes(declined, [title], digest) == {"title": "change_declined"}
    for moved in (Change("title", "係長", "部長"), Change("title", "課長", "社長"), Change("title", "課長", BLANK)):
        assert declined_changes(declined, [moved], digest) == {}
    assert declined_changes({}, [title], digest) == {}


def test_an_address_moves_as_a_whole() -> None:
    zip_code, city = Change("home_zip_code", "1000001", "1000002"), Change("home_address", "千代田区1", "千代田区2")
    declined = declined_by([zip_code, city], digest)
    assert set(declined_changes(declined, [zip_code, city], digest)) == {"home_zip_code", "home_address"}
    assert declined_changes(declined, [zip_code, Change("home_address", "千代田区1", "千代田区3")], digest) == {}


def test_digests_by_other_rules_go_on_resting() -> None:
    title = Change("title", "課長", "部長")
    assert declined_changes({"title": "1:older"}, [title], digest) == {"title": "change_declined"}
