"""SmartHR's simulator at its edges: whatever a client sends, the answer is the vendor's and the company stays whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.practice.smarthr.fields import READABLE, WRITABLE
from app.practice.vendor_kit.limits import REAL, FixedWindow, FreeeLimits, Rates, SmartHRLimits
from tests.practice.smarthr_caller import Caller, made
from tests.properties import examples

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
ACCOUNT_PARTS = ("bank_code", "account_type", "account_holder_name", "bank_account_setting_id", "transfer_type")
ACCOUNTS = st.lists(st.dictionaries(st.sampled_from(ACCOUNT_PARTS), ANY_JSON, max_size=5), max_size=3)
ADDRESS_PARTS = ("zip_code", "pref", "city", "street", "literal_yomi", "country_number")
ADDRESSES = st.dictionaries(st.sampled_from(ADDRESS_PARTS), SCALARS, max_size=6)
VALUES = ANY_JSON | ACCOUNTS | ADDRESSES
NAMES = st.sampled_from(sorted(WRITABLE))
BODIES = st.dictionaries(NAMES, VALUES, max_size=4)
UNHASHABLE: tuple[Any, ...] = ([], [[]], [{}], {"a": []}, [["x"]])


@pytest.fixture(scope="module")
def shared() -> Caller:
    return Caller(switches={"duplicate_emp_code": "reject", "positions_create": False})


# ── writing anything ──────────────────────────────────────────────────────────────────────────────────────────────────


@examples(100)
@given(body=BODIES, method=st.sampled_from(["POST", "PATCH", "PUT"]))
def test_a_write_is_taken_or_refused_and_never_an_accident(shared: Caller, body: dict[str, Any], method: str) -> None:
    """The caller checks every answer against the contract on the way."""
    path = "/v1/crews" if method == "POST" else f"/v1/crews/{shared.first_id}"
    before = shared.smarthr.crews
    answer = shared.send(method, path, body)
    assert answer.status_code in (200, 201, 400), answer.text
    if answer.status_code == 400:
        assert answer.get_json()["type"] == "bad_request"
        assert shared.smarthr.crews == before
    assert shared.get("/v1/crews", per_page=100).status_code == 200


@pytest.mark.parametrize("value", UNHASHABLE, ids=json.dumps)
@pytest.mark.parametrize(
    "name",
    ["emp_code", "employment_type_id", "payment_period_id", "department_ids", "positions", "custom_fields", "gender"],
)
def test_a_value_of_a_wrong_shape_is_a_bad_request(shared: Caller, name: str, value: Any) -> None:
    assert shared.patch({name: value}).status_code in (200, 400)


@pytest.mark.parametrize("value", UNHASHABLE, ids=json.dumps)
def test_an_account_of_a_wrong_shape_is_a_bad_request(shared: Caller, value: Any) -> None:
    account = {
        "bank_code": "0005",
        "bank_branch_code": "021",
        "account_type": "saving",
        "account_number": "1234567",
        "account_holder_name": "サトウ ハナコ",
    }
    for part in (*account, "bank_account_setting_id", "transfer_type"):
        answer = shared.patch({"bank_accounts": [{**account, part: value}]})
        assert answer.status_code in (200, 400), part
    assert shared.patch({"custom_fields": [{"template_id": value}]}).status_code == 400


# ── digits are ASCII digits ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("emp_ins_insured_person_number", "５０００-０００００１-１"),
        ("basic_pension_number", "３０００００００１１"),
        ("birth_at", "１９９０-０４-０２"),
        ("tel_number", "０９０-００００-０００１"),
    ],
)
def test_full_width_digits_are_no_digits(shared: Caller, name: str, value: str) -> None:
    """A client that forgot to convert what people type must hear of it here and not in production."""
    assert [field for field, _ in shared.faults({name: value})] == [name]


@pytest.mark.parametrize("part", ["bank_code", "bank_branch_code", "account_number"])
def test_full_width_digits_are_no_digits_of_an_account(shared: Caller, part: str) -> None:
    account = {
        "bank_code": "0005",
        "bank_branch_code": "021",
        "account_type": "saving",
        "account_number": "1234567",
        "account_holder_name": "サトウ ハナコ",
    }
    wide = account[part].translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    assert [field for field, _ in shared.faults({"bank_accounts": [{**account, part: wide}]})] == [part]


@pytest.mark.parametrize(("part", "value"), [("zip_code", "１０６-００４１"), ("country_number", "３９２")])
def test_full_width_digits_are_no_digits_of_an_address(shared: Caller, part: str, value: str) -> None:
    home = {"zip_code": "106-0041", "pref": "東京都", "city": "港区", part: value}
    assert [field for field, _ in shared.faults({"address": home})] == [part]


@pytest.mark.parametrize("value", ["東京都\n", "106-0041\n", "サトウ\n"])
def test_a_line_end_is_part_of_a_value(shared: Caller, value: str) -> None:
    home = {"city": "港区", "zip_code": value if value[0] == "1" else "", "pref": value if value[0] == "東" else ""}
    sent = {"last_name_yomi": value} if value[0] == "サ" else {"address": home}
    assert shared.patch(sent).status_code == 400


# ── asking anything ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def three() -> Caller:
    return Caller(made("0001"), made("0002"), made("0003", title=None))


@pytest.mark.parametrize("name", sorted(READABLE))
@pytest.mark.parametrize("direction", ["", "-"])
def test_every_attribute_sorts_or_is_refused(three: Caller, name: str, direction: str) -> None:
    """Attributes that hold objects and lists included."""
    answer = three.get("/v1/crews", sort=f"{direction}{name}")
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert len(answer.get_json()) == 3


@pytest.mark.parametrize("name", ["page", "per_page"])
@pytest.mark.parametrize("value", ["9" * 30, "9" * 5000, "٣", "²", "1e3", "+1", " 1", "0x1"])
def test_numbers_of_pages_that_nobody_has(shared: Caller, name: str, value: str) -> None:
    answer = shared.get("/v1/crews", **{name: value})
    assert answer.status_code in (200, 400)
    if not value.isascii() or not value.isdigit():
        assert answer.status_code == 400


@examples(150)
@given(
    query=st.dictionaries(
        st.sampled_from(["id", "q", "sort", "fields", "entered_at_from", "gender"]), st.text(max_size=9)
    )
)
def test_a_question_is_answered_or_refused(shared: Caller, query: dict[str, str]) -> None:
    assert shared.client.get("/x").status_code in (400, 404)
    answer = shared.client.get(f"/awase-renshu/api/v1/crews?{_encoded(query)}", headers=shared.headers)
    assert answer.status_code in (200, 400), answer.text


def _encoded(query: dict[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in query.items()})


# ── counting calls ────────────────────────────────────────────────────────────────────────────────────────────────────


@given(limit=st.integers(1, 20), gaps=st.lists(st.floats(0, 0.5), max_size=80))
def test_a_window_never_lets_more_through_than_it_may(limit: int, gaps: list[float]) -> None:
    window, now = FixedWindow(limit, 1.0), 1_000_000.0
    passed: dict[int, int] = {}
    for gap in gaps:
        now += gap
        asked = window.remaining if int(now) in passed else limit
        taken = window.take(now)
        assert taken == (asked > 0)
        passed[int(now)] = passed.get(int(now), 0) + taken
        assert 0 <= window.remaining <= limit
        assert now < window.resets_at(now) <= now + 1.0
    assert max(passed.values(), default=0) <= limit


def test_what_the_second_refuses_does_not_use_up_the_hour() -> None:
    now = [1_000_000.0]
    limits = SmartHRLimits(Rates(smarthr_hour=5, smarthr_second=2), clock=lambda: now[0])
    assert [limits.check("t").refused for _ in range(10)] == ["", "", *["quota"] * 8]
    now[0] += 1
    verdicts = [limits.check("t") for _ in range(2)]
    assert [each.refused for each in verdicts] == ["", ""]
    assert verdicts[-1].headers["x-rate-limit-remaining"] == "1"


def test_one_token_does_not_use_up_anothers_calls() -> None:
    limits = SmartHRLimits(REAL, clock=lambda: 1_000_000.0)
    for _ in range(20):
        limits.check("one")
    assert limits.check("one").refused
    assert not limits.check("other").refused


def test_calls_against_the_closed_door_do_not_lengthen_it() -> None:
    now = [1_000_000.0]
    limits = FreeeLimits(Rates(freee_burst=1, burst_seconds=1.0, closed_seconds=600.0), clock=lambda: now[0])
    assert [limits.check("c").refused for _ in range(2)] == ["", "burst"]
    for _ in range(599):
        now[0] += 1
        assert limits.check("c").refused == "burst"
    now[0] += 1
    assert limits.check("c").refused == ""


def test_the_reset_is_never_now() -> None:
    """A client that sleeps for 0 seconds asks in a loop."""
    for moment in (1_000_000.0, 1_000_000.999, 1_003_599.999):
        limits = SmartHRLimits(REAL, clock=lambda moment=moment: moment)  # type: ignore[misc]
        headers = limits.check("t").headers
        assert int(headers["x-rate-limit-reset"]) >= 1
        assert int(headers["x-intensive-rate-limit-reset"]) >= 1
