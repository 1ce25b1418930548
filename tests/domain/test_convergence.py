"""After a run in one direction, planning in either direction finds nothing left to do; blanks erase nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.enums import Direction, System
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.mapping import FIELDS
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.planning import Baseline, plan, shared_digests
from app.domain.settings.connection_settings import ConflictPolicy, MappingOptions
from app.domain.snapshot import ABSENT, BLANK, Missing, Snapshot, is_value
from app.domain.writing import encode, unwritable
from tests.domain.records import CREW, READABLE, crew, employee, seen_in_freee, seen_in_smarthr
from tests.domain.staff import CREWS, EMPLOYEES, POSITION_MASTER, Record, objects, written
from tests.properties import PROFILE, examples

BANK = frozenset(row.key for row in FIELDS if row.group == "bank")
KEYS = frozenset(row.key for row in FIELDS)

OPTIONS = st.builds(
    MappingOptions,
    include_building=st.booleans(),
    create_positions=st.booleans(),
    known_positions=st.sampled_from([None, frozenset(), frozenset(POSITION_MASTER)]),
    readable_attributes=st.sampled_from([READABLE, READABLE - {"tel_number", "bank_accounts", "address"}]),
    as_of_date=st.just(date(2024, 6, 15)),
)
_BIG = [HealthCheck.too_slow, HealthCheck.data_too_large]
many = examples(80, suppress_health_check=_BIG)
most = examples(500 if PROFILE == "long" else 80, suppress_health_check=_BIG)
"""Ten thousand people in `make test-all`."""


class Company:
    """One person on both sides, and planning between them as the engine does it."""

    def __init__(self, crew: Record, employee: Record, *, options: MappingOptions, in_payroll: bool = True) -> None:
        self.records = {System.SMARTHR: crew, System.FREEE: employee}
        self.options = options
        self.in_payroll = in_payroll
        self.baseline = Baseline({}, lambda key, text: f"{key}={text}")

    def seen(self, system: System) -> Snapshot:
        if system is System.SMARTHR:
            return seen_in_smarthr(self.records[system], self.options)
        return seen_in_freee(self.records[system], self.options, in_payroll=self.in_payroll)

    def plan(self, direction: Direction, policy: ConflictPolicy) -> Plan:
        def encodable(changes: Sequence[Change]) -> Mapping[str, str]:
            return unwritable(direction.target, changes, self.records[direction.target], self.options)

        return plan(
            self.seen(direction.source),
            self.seen(direction.target),
            direction=direction,
            baseline=self.baseline,
            policy=policy,
            options=self.options,
            target_in_payroll=self.in_payroll or direction.target is System.SMARTHR,
            source_in_payroll=self.in_payroll or direction.source is System.SMARTHR,
            encodable=encodable,
        )

    def write(self, decided: Plan, target: System) -> None:
        steps = encode(target, decided.changes, self.records[target], self.options)
        self.records[target] = written(target, self.records[target], steps)
        self.agree()

    def agree(self) -> None:
        shared = shared_digests(self.seen(System.SMARTHR), self.seen(System.FREEE), self.baseline)
        self.baseline = Baseline({**self.baseline.digests, **shared}, self.baseline.fingerprint)


def settled_keys(first: Plan, source: Snapshot) -> frozenset[str]:
    """Keys the first run had nothing to say about: these must be at rest in both directions afterwards.

    "lossy" only tells; a word on one bank item is a word on the account, which a blank source leaves alone.
    """
    said = {note.key for note in first.notes if note.code != "lossy"} | {c.key for c in first.conflicts}
    account = BANK if said & BANK or not all(is_value(source[key]) for key in BANK) else frozenset()
    return KEYS - said - account


def changes_of(decided: Plan) -> dict[str, Any]:
    return {change.key: (change.before, change.after) for change in decided.changes}


@most
@given(CREWS, EMPLOYEES, OPTIONS, st.sampled_from(Direction), st.sampled_from(ConflictPolicy), st.booleans())
def test_after_a_run_both_directions_are_at_rest(
    crew_record: Record,
    employee_record: Record,
    options: MappingOptions,
    direction: Direction,
    policy: ConflictPolicy,
    in_payroll: bool,
) -> None:
    company = Company(crew_record, employee_record, options=options, in_payroll=in_payroll)
    before = company.seen(direction.target)
    first = company.plan(direction, policy)
    settled = settled_keys(first, company.seen(direction.source))
    company.write(first, direction.target)

    after = company.seen(direction.target)
    for change in first.changes:
        assert change.after is not BLANK  # nothing was agreed on, so nothing may be erased
        assert before[change.key] is not ABSENT
    erased = {key for key in KEYS if is_value(before[key]) and isinstance(after[key], Missing)}
    assert not erased
    assert changes_of(company.plan(direction, policy)) == {}
    back = company.plan(direction.reverse, ConflictPolicy.SOURCE_WINS)
    assert {key: value for key, value in changes_of(back).items() if key in settled} == {}
    assert not {conflict.key for conflict in company.plan(direction.reverse, policy).conflicts} & settled


HEADS = st.sampled_from(["", "", "", "東京都", "大阪府 ", "北海道"])
READING_HEADS = st.sampled_from(["", "トウキョウト", "ﾄｳｷﾖｳﾄ", "オオサカフ　", "ホッカイドウ", "ミエケン"])
TOWNS = st.sampled_from(
    ["港区", "大阪市北区", "浜松市中区", "浜松市", "西多摩郡瑞穂町", "瑞穂町", "府中市", "Minato-ku", "架空市"]
)
BLOCKS = st.sampled_from(
    ["麻布台1-2-3", "麻布台１丁目２番４号", "中区本町2", "北一条西2丁目", "Azabu 1-1", "大字見本", "1-2", ""]
)
GAPS = st.sampled_from(["", " ", "　", "-"])
ROOMS = st.sampled_from(["", "", "ハイツ101", "ハイツ１０２", "麻布ハイツ101", "101", "102", "A棟5", "東京都民ビル2F"])
READINGS = st.builds("{}{}".format, READING_HEADS, st.sampled_from(["ミナトク", "ミナトクアザブ－ダイ", "ﾐﾅﾄｸ1-2", ""]))
HOMES = objects(
    country_number=st.sampled_from(["392", "", None]),
    zip_code=st.just("106-0041"),
    pref=st.sampled_from([None, "", "東京都", "大阪府", "静岡県", "東京"]),
    city=st.builds("{}{}".format, HEADS, TOWNS),
    street=st.none() | BLOCKS,
    building=st.none() | ROOMS,
    literal_yomi=st.none() | READINGS,
)
LIVES = objects(
    residential_prefecture_code=st.sampled_from([None, -1, 12, 26, 21]),
    residential_address=st.none() | st.builds("{}{}{}{}{}".format, HEADS, TOWNS, BLOCKS, GAPS, ROOMS),
    residential_address_kana=st.none() | READINGS,
)


@examples(150)
@given(HOMES, LIVES, st.booleans(), st.lists(st.sampled_from(Direction), min_size=1, max_size=3))
def test_law_2_every_address_comes_to_rest(
    home: Record, lives: Record, with_building: bool, directions: list[Direction]
) -> None:
    """Whatever stands beside an address on either side: what was written is not written again."""
    options = MappingOptions(
        municipalities=municipalities(), readable_attributes=READABLE, include_building=with_building
    )
    person = employee()
    person["profile_rule"] = {**person["profile_rule"], **lives}
    company = Company(crew(address=home), person, options=options)
    for direction in directions:
        company.write(company.plan(direction, ConflictPolicy.SOURCE_WINS), direction.target)
        assert changes_of(company.plan(direction, ConflictPolicy.SOURCE_WINS)) == {}
    for direction in (*Direction, *Direction):
        company.write(company.plan(direction, ConflictPolicy.SOURCE_WINS), direction.target)
    for direction in Direction:
        assert changes_of(company.plan(direction, ConflictPolicy.SOURCE_WINS)) == {}


@many
@given(CREWS, EMPLOYEES, OPTIONS, st.lists(st.sampled_from(Direction), min_size=2, max_size=4))
def test_manual_runs_in_any_order_come_to_rest(
    crew_record: Record, employee_record: Record, options: MappingOptions, directions: list[Direction]
) -> None:
    """Whatever is run first, after three rounds nothing changes any more.

    More than one, because a part of an address that one side could not give may come from the other side first.
    """
    company = Company(crew_record, employee_record, options=options)
    for direction in (*directions, *Direction, *Direction, *Direction):
        company.write(company.plan(direction, ConflictPolicy.SOURCE_WINS), direction.target)
    for direction in Direction:
        assert changes_of(company.plan(direction, ConflictPolicy.SOURCE_WINS)) == {}


@many
@given(CREWS, EMPLOYEES, OPTIONS)
def test_automatic_runs_in_both_directions_do_not_ping_pong(
    crew_record: Record, employee_record: Record, options: MappingOptions
) -> None:
    """The echo of a write finds nothing, also when the policy lets one system win."""
    for policy in (ConflictPolicy.HOLD, ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS):
        company = Company(crew_record, employee_record, options=options)
        for direction in (*Direction, *Direction):
            company.write(company.plan(direction, policy), direction.target)
        seen = {system: company.seen(system) for system in System}
        for direction in Direction:
            company.write(company.plan(direction, policy), direction.target)
        assert {system: company.seen(system) for system in System} == seen


@many
@given(CREWS, EMPLOYEES, OPTIONS, st.sampled_from(Direction))
def test_a_new_person_is_created_and_then_at_rest(
    crew_record: Record, employee_record: Record, options: MappingOptions, direction: Direction
) -> None:
    company = Company(crew_record, employee_record, options=options)
    source = company.seen(direction.source)
    created = plan(
        source,
        None,
        direction=direction,
        baseline=company.baseline,
        policy=ConflictPolicy.SOURCE_WINS,
        options=options,
        encodable=lambda changes: unwritable(direction.target, changes, None, options),
    )
    if not created.writes:
        assert created.stops or created.needs_review
        return
    empty = employee_without_anything() if direction.target is System.FREEE else crew_without_anything()
    steps = encode(direction.target, created.changes, None, options)
    company.records[direction.target] = written(direction.target, empty, steps)
    again = company.plan(direction, ConflictPolicy.SOURCE_WINS)
    assert changes_of(again) == {}
    assert {change.key for change in created.changes} == {
        key for key in KEYS if is_value(source[key]) and is_value(company.seen(direction.target)[key])
    } - defaults(direction.target, source)


def defaults(target: System, source: Snapshot) -> set[str]:
    """What freee fills in by itself, false for both flags, when the source says nothing of its own."""
    flags = {"having_spouse", "working_student"}
    return {key for key in flags if target is System.FREEE and not is_value(source[key])}


def employee_without_anything() -> Record:
    """freee's record of somebody just created, before anything is filled in."""
    blank = employee(
        num="", birth_date=None, entry_date=None, base_pension_num=None, employment_insurance_reference_number=""
    )
    profile = dict.fromkeys(blank["profile_rule"])
    defaults = {"gender": "unselected", "married": False, "is_working_student": False, "widow_type": "na"}
    blank["profile_rule"] = {**profile, **defaults, "disability_type": "na"}
    return {
        **blank, "health_insurance_rule": None, "welfare_pension_insurance_rule": None, "bank_account_rule": None
    }  # fmt: skip


def crew_without_anything() -> Record:
    return dict.fromkeys(crew())


def test_the_sample_person_is_already_equal_in_both_directions() -> None:
    """The generator's basis: without it the properties might hold because nothing ever fits."""
    options = MappingOptions(municipalities=municipalities(), readable_attributes=READABLE)
    company = Company(crew(), employee(), options=options)
    for direction in Direction:
        assert company.plan(direction, ConflictPolicy.HOLD) == Plan(PlanKind.NOTHING)


def test_everything_moves_from_a_full_person_to_an_empty_one() -> None:
    """The other half of that basis: every item does get written."""
    options = MappingOptions(
        municipalities=municipalities(), readable_attributes=READABLE, known_positions=frozenset(POSITION_MASTER)
    )
    company = Company(crew(resigned_at="2030-03-31"), employee_without_anything(), options=options)
    decided = company.plan(Direction.SMARTHR_TO_FREEE, ConflictPolicy.HOLD)
    assert set(changes_of(decided)) == KEYS - {"having_spouse", "working_student"}
    company.write(decided, System.FREEE)
    full = company.records[System.FREEE]

    back = Company(crew_without_anything(), full, options=options)
    decided = back.plan(Direction.FREEE_TO_SMARTHR, ConflictPolicy.HOLD)
    assert set(changes_of(decided)) == KEYS
    back.write(decided, System.SMARTHR)
    assert back.plan(Direction.SMARTHR_TO_FREEE, ConflictPolicy.HOLD) == Plan(PlanKind.NOTHING)


def test_an_erasure_comes_to_rest_as_well() -> None:
    company = Company(
        crew(), employee(), options=MappingOptions(municipalities=municipalities(), readable_attributes=READABLE)
    )
    company.agree()
    company.records[System.SMARTHR]["tel_number"] = None
    company.records[System.SMARTHR]["widow_type"] = None
    decided = company.plan(Direction.SMARTHR_TO_FREEE, ConflictPolicy.HOLD)
    assert {key: after for key, (_, after) in changes_of(decided).items()} == {"phone": BLANK, "widow_type": BLANK}
    company.write(decided, System.FREEE)
    assert company.records[System.FREEE]["profile_rule"]["phone1"] == ""
    assert company.records[System.FREEE]["profile_rule"]["widow_type"] == "na"
    for direction in Direction:
        assert company.plan(direction, ConflictPolicy.HOLD) == Plan(PlanKind.NOTHING)


@many
@given(CREWS, EMPLOYEES, OPTIONS, st.sampled_from(Direction))
def test_every_word_of_a_plan_is_in_the_catalogue(
    crew_record: Record, employee_record: Record, options: MappingOptions, direction: Direction
) -> None:
    company = Company(crew_record, employee_record, options=options)
    for decided in (company.plan(direction, policy) for policy in ConflictPolicy):
        assert {note.code for note in decided.notes} <= CATALOGUE.keys()
        assert all(isinstance(note, Note) and note.severity is not Severity.STOP for note in decided.notes)


def test_a_reading_that_begins_with_the_prefecture_comes_to_rest_where_smarthr_has_none() -> None:
    """Found by the property above: freee knew the prefecture and took it off the reading, SmartHR had none to take
    off, so each run wrote the reading again, in both directions."""
    home = {**CREW["address"], "zip_code": "060-0001", "pref": None, "city": "札幌市中央区", "street": "北一条西2丁目"}
    home |= {"building": None, "literal_yomi": "トウキョウトミナトクアザブダイ"}
    lives = {"residential_zipcode1": "060", "residential_zipcode2": "0001", "residential_prefecture_code": 12}
    lives |= {
        "residential_address": "札幌市中央区北一条西2丁目",
        "residential_address_kana": "トウキョウトミナトクアザブダイ",
    }
    person = employee()
    person["profile_rule"] = {**person["profile_rule"], **lives}
    options = MappingOptions(municipalities=municipalities(), readable_attributes=READABLE, include_building=False)
    company = Company(crew(address=home, resident_card_address=None), person, options=options)
    company.write(company.plan(Direction.SMARTHR_TO_FREEE, ConflictPolicy.SOURCE_WINS), System.FREEE)
    assert changes_of(company.plan(Direction.SMARTHR_TO_FREEE, ConflictPolicy.SOURCE_WINS)) == {}
    back = changes_of(company.plan(Direction.FREEE_TO_SMARTHR, ConflictPolicy.SOURCE_WINS))
    assert "home_address_kana" not in back
