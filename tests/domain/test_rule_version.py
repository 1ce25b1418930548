"""Law: a digest says by which rules it was made, and digests by different rules say nothing about a change."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.domain.codecs.base import WIDTH, Text
from app.domain.enums import Direction
from app.domain.mapping import FIELDS
from app.domain.planning.content import is_other_content
from app.domain.planning.plan import Change, Plan
from app.domain.planning.planning import Baseline, digest, plan, shared_digests
from app.domain.planning.rule_version import VERSION, is_same_form, made_by, rows_mark, stamp, stamped
from app.domain.planning.three_way import ROWS_KEY, UNDONE, brought_up
from app.domain.settings.connection_settings import ConflictPolicy, MappingOptions
from app.domain.snapshot import BLANK, FieldState, Snapshot
from tests.domain.noting import forms_now, noted

ROOT = Path(__file__).resolve().parents[2]


def test_other_forms_have_another_version() -> None:
    version, known = noted()
    now = forms_now()
    assert version == VERSION, "VERSION was raised: note the forms of all items (`make items`)"
    assert sorted(now.keys() - known.keys()) == [], "new items: note the forms of their values (`make items`)"
    assert {key for key in now if now[key] != known[key]} == set(), (
        "these items are compared in another form than before: raise VERSION (app/domain/planning/rule_version.py)"
    )


# ── the rows ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mark_tells_what_is_compared_and_nothing_else() -> None:
    last, whole = FIELDS[-1], rows_mark(FIELDS)
    other = [
        FIELDS[:-1],
        (*FIELDS[1:], FIELDS[0]),
        (*FIELDS[:-1], replace(last, key="another_key")),
        (*FIELDS[:-1], replace(last, freee=replace(last.freee, paths=("another.path",)))),
        (*FIELDS[:-1], replace(last, smarthr=replace(last.smarthr, codec=Text(rules=(WIDTH,))))),
        (*FIELDS[:-1], replace(last, smarthr=replace(last.smarthr, codec=Text()))),
    ]
    assert len({whole, *map(rows_mark, other)}) == len(other) + 1
    assert rows_mark((*FIELDS[:-1], replace(last, label="別の名前", masked=not last.masked))) == whole


def test_every_process_makes_the_same_mark() -> None:
    script = "from app.domain.planning.rule_version import FIELDS, rows_mark; print(rows_mark(FIELDS))"
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == rows_mark(FIELDS)


# ── the digests ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_digest_without_a_version_is_of_the_first() -> None:
    assert (made_by("0a1b"), made_by(stamped("0a1b")), made_by("1:")) == ("1", stamp(), "1")
    assert is_same_form("0a1b", stamped("0a1b"))
    assert not is_same_form("0a1b", stamped("0a1c"))


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("2:aa", "2:ab", True),
        ("2:aa", "2:aa", False),
        ("aa", "2:ab", False),
        ("2026-11:aa", "2026-11:2:ab", False),
        ("2026-11:2:aa", "2026-11:2:ab", True),
        ("2026-11:2:aa", "2026-12:2:ab", False),
    ],
)
def test_contents_by_different_rules_tell_of_no_change(before: str, after: str, changed: bool) -> None:
    assert is_other_content(before, after) is changed


# ── planning ──────────────────────────────────────────────────────────────────────────────────────────────────────


def by(version: int) -> Any:
    def fingerprint(key: str, text: str) -> str:
        made = hashlib.blake2b(f"{version}\0{key}\0{text}".encode()).hexdigest()
        return made if version == 1 else f"{version}:{made}"

    return fingerprint


def side(**values: FieldState) -> Snapshot:
    return Snapshot({**{row.key: BLANK for row in FIELDS}, "last_name": "佐藤", **values})


def agreed_by(version: int, snapshot: Snapshot, *, unknown: str = "") -> Baseline:
    digests = shared_digests(snapshot, snapshot, Baseline({}, by(version)))
    digests.pop(unknown, None)
    return Baseline(brought_up(digests, by(2)), by(2))


def planned(source: Snapshot, target: Snapshot, baseline: Baseline, policy: ConflictPolicy) -> Plan:
    known = baseline if policy is not ConflictPolicy.SOURCE_WINS else baseline.by_present_rules()
    return plan(
        source,
        target,
        direction=Direction.SMARTHR_TO_FREEE,
        baseline=known,
        policy=policy,
        options=MappingOptions(),
    )


@pytest.mark.parametrize("policy", [ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS, ConflictPolicy.HOLD])
def test_no_automatic_run_writes_for_an_agreement_by_other_rules(policy: ConflictPolicy) -> None:
    """Whatever differs: the rules may be all that has changed."""
    for held in (side(), side(phone="03-1234-5678")):
        for now in (side(phone="03-1234-9999"), side()):
            baseline = agreed_by(1, held)
            assert planned(now, held, baseline, policy).changes == ()
            assert planned(now, side(phone="03-0000-0000"), baseline, policy).changes == ()


def test_what_would_be_written_is_asked() -> None:
    found = planned(side(phone="03-1234-9999"), side(), agreed_by(1, side()), ConflictPolicy.SMARTHR_WINS)
    assert [(note.key, note.code, note.severity.value) for note in found.notes] == [
        ("phone", "rules_changed", "review")
    ]


def test_an_item_that_an_older_release_did_not_know_is_asked_too() -> None:
    baseline = agreed_by(1, side(), unknown="phone")
    found = planned(side(phone="03-1234-9999"), side(), baseline, ConflictPolicy.SMARTHR_WINS)
    assert (found.changes, [note.code for note in found.notes]) == ((), ["rules_changed"])


def test_a_manual_run_decides_as_without_an_agreement() -> None:
    baseline, change = agreed_by(1, side()), Change("phone", BLANK, "03-1234-9999")
    assert planned(side(phone="03-1234-9999"), side(), baseline, ConflictPolicy.SOURCE_WINS).changes == (change,)
    cleared = planned(side(), side(title="課長"), agreed_by(1, side(title="課長")), ConflictPolicy.SOURCE_WINS)
    assert (cleared.changes, [note.code for note in cleared.notes]) == ((), ["kept_blank"])


def test_what_is_equal_is_agreed_on_anew_without_a_word() -> None:
    baseline = agreed_by(1, side())
    assert planned(side(), side(), baseline, ConflictPolicy.SMARTHR_WINS) == Plan(planned_nothing().kind)
    renewed = {**baseline.digests, **shared_digests(side(), side(), baseline)}
    assert {made_by(digest) for key, digest in renewed.items() if key != ROWS_KEY} == {"2"}
    after = planned(side(phone="03-1234-9999"), side(), Baseline(renewed, by(2)), ConflictPolicy.SMARTHR_WINS)
    assert [change.key for change in after.changes] == ["phone"]


def planned_nothing() -> Plan:
    return planned(side(), side(), agreed_by(2, side()), ConflictPolicy.HOLD)


def test_what_was_taken_back_stays_so() -> None:
    digests = {**agreed_by(1, side()).digests, "phone": UNDONE}
    assert brought_up(digests, by(2))["phone"] == UNDONE
    found = planned(side(phone="1"), side(), Baseline(digests, by(2)), ConflictPolicy.SMARTHR_WINS)
    assert [conflict.key for conflict in found.conflicts] == ["phone"]


def test_a_plan_approved_under_other_rules_is_another_plan() -> None:
    nothing = planned_nothing()
    assert digest(nothing, Baseline({}, by(1))) != digest(nothing, Baseline({}, by(2)))
