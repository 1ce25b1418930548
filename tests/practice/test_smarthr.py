"""SmartHR's simulator: lists, envelopes, permissions and crews behave as the vendor's documents say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.practice.staff.practice_company import SMARTHR_TOKEN
from app.practice.vendor_kit.limits import Rates
from tests.practice.smarthr_caller import BASE, Caller, made


@pytest.fixture
def caller() -> Caller:
    return Caller()


def envelope(response: TestResponse) -> tuple[int, int, str]:
    told = response.get_json()
    assert set(told) == {"code", "type", "message", "errors"}
    return response.status_code, told["code"], told["type"]


def numbers(response: TestResponse) -> list[str]:
    return [each["emp_code"] for each in response.get_json()]


# ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def many() -> Caller:
    return Caller(*(made(f"{n:04d}") for n in range(1, 126)))


def test_a_list_is_a_bare_array_of_ten_unless_more_is_asked_for(many: Caller) -> None:
    answer = many.get("/v1/crews")
    assert len(answer.get_json()) == 10
    assert [answer.headers[f"x-{name}"] for name in ("total-count", "page", "per-page")] == ["125", "1", "10"]


def test_more_than_a_hundred_per_page_are_capped(many: Caller) -> None:
    answer = many.get("/v1/crews", per_page=500)
    assert (len(answer.get_json()), answer.headers["x-per-page"]) == (100, "100")


def test_or_refused_where_the_switch_says_so(many: Caller) -> None:
    many.injector.set_switch("per_page_over_100", "reject")
    assert envelope(many.get("/v1/crews", per_page=101)) == (400, 1, "bad_request")


def test_pages_hold_everybody_once(many: Caller) -> None:
    pages = [numbers(many.get("/v1/crews", per_page=50, page=page, sort="emp_code")) for page in (1, 2, 3)]
    assert [number for page in pages for number in page] == [f"{n:04d}" for n in range(1, 126)]


def test_past_the_end_there_is_nobody(many: Caller) -> None:
    answer = many.get("/v1/crews", per_page=100, page=3)
    assert (answer.status_code, answer.get_json()) == (200, [])


def links(response: TestResponse) -> dict[str, str]:
    return {name: url for url, name in re.findall(r'<([^>]+)>; rel="(\w+)"', response.headers["Link"])}


def test_links_lead_from_page_to_page(many: Caller) -> None:
    middle = links(many.get("/v1/crews", per_page=50, page=2, sort="emp_code"))
    assert set(middle) == {"first", "prev", "next", "last"}
    following = many.client.get(middle["next"], headers=many.headers)
    assert numbers(following)[0] == "0101"
    assert set(links(following)) == {"first", "prev", "last"}


@pytest.mark.parametrize("query", [{"page": "0"}, {"per_page": "x"}, {"sort": "shoe_size"}, {"emp_status": "gone"}])
def test_nonsense_in_a_query_is_a_bad_request(many: Caller, query: dict[str, str]) -> None:
    response = many.client.get(f"{BASE}/v1/crews", query_string=query, headers=many.headers)
    assert envelope(response) == (400, 1, "bad_request")


def people() -> Caller:
    return Caller(
        made("1", hired=date(2020, 1, 1)),
        made("2", hired=date(2021, 1, 1), gender="male"),
        made("3", hired=None, resigned=date(2024, 3, 31), status="retired"),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"1", "2", "3"}),
        ({"emp_code": "2"}, {"2"}),
        ({"emp_status": "retired"}, {"3"}),
        ({"gender": "male"}, {"2"}),
        ({"entered_at_from": "2021-01-01"}, {"2"}),
        ({"entered_at_to": "2020-12-31"}, {"1"}),
        ({"resigned_at_from": "2024-03-31", "resigned_at_to": "2024-03-31"}, {"3"}),
        ({"q": "花"}, {"1", "2", "3"}),
        ({"q": "太"}, set()),
    ],
)
def test_filters(query: dict[str, str], found: set[str]) -> None:
    assert set(numbers(people().get("/v1/crews", **query))) == found


def test_several_ids_are_read_in_one_call() -> None:
    caller = people()
    ids = [each["id"] for each in caller.smarthr.crews]
    answer = caller.get("/v1/crews", id=f"{ids[0]},{ids[2]},nobody")
    assert {each["id"] for each in answer.get_json()} == {ids[0], ids[2]}


def test_sorting_downwards_puts_blanks_last() -> None:
    assert numbers(people().get("/v1/crews", sort="-entered_at")) == ["2", "1", "3"]
    assert numbers(people().get("/v1/crews", sort="emp_status,-emp_code")) == ["2", "1", "3"]


def test_fields_give_only_what_is_named(caller: Caller) -> None:
    assert caller.get("/v1/crews", fields="emp_code,updated_at").get_json()[0].keys() == {"emp_code", "updated_at"}
    one = caller.get(f"/v1/crews/{caller.first_id}", fields="id,last_name").get_json()
    assert one == {"id": caller.first_id, "last_name": "佐藤"}


# ── the door ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", "Token x", "Basic !!"])
def test_without_the_right_token_it_is_401(caller: Caller, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    assert envelope(caller.client.get(f"{BASE}/v1/crews", headers=headers)) == (401, 2, "unauthorized_token")


def test_the_token_as_user_name_is_good_too(caller: Caller) -> None:
    assert caller.client.get(f"{BASE}/v1/crews", auth=(SMARTHR_TOKEN, "")).status_code == 200


@pytest.mark.parametrize(
    ("switch", "status", "code"),
    [("maintenance", 503, 9), ("ip_not_permitted", 403, 15), ("token_revoked", 401, 2)],
)
def test_states_of_the_tenant(caller: Caller, switch: str, status: int, code: int) -> None:
    caller.injector.set_switch(switch, True)
    assert envelope(caller.get("/v1/crews"))[:2] == (status, code)


def test_a_renamed_tenant_answers_without_the_envelope(caller: Caller) -> None:
    caller.injector.set_switch("inactive_subdomain", True)
    answer = caller.client.get(f"{BASE}/v1/crews", headers=caller.headers)
    assert (answer.status_code, answer.get_json()) == (400, {"message": "subdomain awase-renshu is inactive"})
    other = caller.client.get("/another/api/v1/crews", headers=caller.headers)
    assert other.status_code == 400


def test_permissions_count_per_resource_and_for_writing(caller: Caller) -> None:
    caller.injector.set_switch("forbidden", ["job_titles", "crews:write"])
    assert envelope(caller.get("/v1/job_titles")) == (403, 3, "forbidden")
    assert caller.get("/v1/crews").status_code == 200
    assert envelope(caller.patch({"title": "x"})) == (403, 3, "forbidden")


def test_every_answer_tells_the_limits_and_over_them_it_is_429() -> None:
    caller = Caller(rates=Rates(smarthr_hour=100, smarthr_second=2), clock=lambda: 1_800_000_000.0)
    answers = [caller.get("/v1/crews") for _ in range(3)]
    assert [each.headers["x-intensive-rate-limit-remaining"] for each in answers] == ["1", "0", "0"]
    assert envelope(answers[2]) == (429, 6, "too_many_requests")
    assert answers[2].headers["x-rate-limit-remaining"] == "98"
    assert answers[2].headers["x-rate-limit-reset"] == "3600"


def test_a_reset_gives_the_limits_back() -> None:
    caller = Caller(rates=Rates(smarthr_second=1), clock=lambda: 1_800_000_000.0)
    assert [caller.get("/v1/crews").status_code for _ in range(2)] == [200, 429]
    caller.client.post("/_practice/reset")
    assert caller.get("/v1/crews").status_code == 200


def test_unknown_ids_and_paths_are_404(caller: Caller) -> None:
    assert envelope(caller.get("/v1/crews/nobody")) == (404, 4, "not_found")
    assert envelope(caller.send("DELETE", "/v1/crews/nobody")) == (404, 4, "not_found")
    response = caller.client.get(f"{BASE}/v1/invitations", headers=caller.headers)
    assert envelope(response) == (404, 4, "not_found")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_a_bad_request(caller: Caller, body: bytes) -> None:
    headers = {**caller.headers, "Content-Type": "application/json"}
    response = caller.client.post(f"{BASE}/v1/crews", data=body, headers=headers)
    assert envelope(response) == (400, 1, "bad_request")


def test_answers_are_utf8_json(caller: Caller) -> None:
    assert caller.get("/v1/crews").headers["Content-Type"] == "application/json;charset=utf-8"


# ── hidden attributes ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hidden_attribute_reads_as_null_or_is_not_there(caller: Caller) -> None:
    caller.injector.set_switch("hidden_attributes", ["bank_accounts", "tel_number"])
    crew = caller.get("/v1/crews").get_json()[0]
    assert (crew["bank_accounts"], crew["tel_number"], crew["last_name"]) == (None, None, "佐藤")
    caller.injector.set_switch("hidden_attribute", "absent")
    crew = caller.get(f"/v1/crews/{caller.first_id}").get_json()
    assert not {"bank_accounts", "tel_number"} & crew.keys()


def test_writing_a_hidden_attribute_is_ignored_or_forbidden(caller: Caller) -> None:
    caller.injector.set_switch("hidden_attributes", ["tel_number"])
    assert caller.patch({"tel_number": "090-0000-9999", "last_name": "鈴木"}).status_code == 200
    crew = caller.smarthr.crew("00123")
    assert (crew["tel_number"], crew["last_name"]) == ("090-0000-0001", "鈴木")
    caller.injector.set_switch("hidden_write", "forbid")
    assert envelope(caller.patch({"tel_number": "090-0000-9999"})) == (403, 3, "forbidden")


# ── create, update, delete ────────────────────────────────────────────────────────────────────────────────────────

NEW: dict[str, Any] = {
    "emp_code": "00200",
    "emp_status": "employed",
    "last_name": "田中",
    "first_name": "誠",
    "last_name_yomi": "タナカ",
    "first_name_yomi": "マコト",
    "gender": "male",
}


def test_a_new_crew_comes_with_id_and_location(caller: Caller) -> None:
    answer = caller.send("POST", "/v1/crews", NEW)
    crew = answer.get_json()
    assert answer.status_code == 201
    assert {name: crew[name] for name in NEW} == NEW
    assert caller.client.get(answer.headers["Location"], headers=caller.headers).get_json() == crew
    assert crew["preferred_last_name"] == "田中"


def test_nothing_is_mandatory_and_nothing_prevents_twins(caller: Caller) -> None:
    assert caller.send("POST", "/v1/crews", {}).status_code == 201
    for _ in range(2):
        assert caller.send("POST", "/v1/crews", NEW).status_code == 201
    assert len(caller.smarthr.ids_by_number("00200")) == 2


def test_duplicate_numbers_are_refused_where_the_switch_says_so(caller: Caller) -> None:
    caller.injector.set_switch("duplicate_emp_code", "reject")
    ((field, message),) = caller.faults({**NEW, "emp_code": "00123"}, method="POST")
    assert (field, message) == ("emp_code", "社員番号はすでに存在します。")
    assert caller.patch({"emp_code": "00123"}).status_code == 200  # its own


def test_a_full_plan_takes_nobody(caller: Caller) -> None:
    caller.injector.set_switch("plan_limit", True)
    assert envelope(caller.send("POST", "/v1/crews", NEW)) == (403, 7, "plan_limit_exceeded")
    assert len(caller.smarthr.crews) == 1
    assert caller.patch({"last_name": "鈴木"}).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_what_is_left_out_stays(caller: Caller, method: str) -> None:
    before = caller.smarthr.crew("00123")
    after = caller.send(method, f"/v1/crews/{caller.first_id}", {"last_name": "鈴木"}).get_json()
    different = {name for name in before if before[name] != after[name]}
    assert different == {"last_name", "preferred_last_name", "updated_at"}


def test_null_clears_and_unknown_properties_are_ignored(caller: Caller) -> None:
    sent = {"tel_number": None, "resident_card_address": None, "entered_at": None, "positions": [], "shoe_size": 26}
    response = caller.client.patch(f"{BASE}/v1/crews/{caller.first_id}", json=sent, headers=caller.headers)
    crew = response.get_json()
    assert [crew[name] for name in ("tel_number", "resident_card_address", "entered_at")] == [None] * 3
    assert crew["position"] is None
    assert "shoe_size" not in crew


def test_updated_at_moves_only_with_a_change() -> None:
    now = [1_800_000_000.0]
    caller = Caller(clock=lambda: now[0])
    before = caller.smarthr.crew("00123")["updated_at"]
    now[0] += 60
    assert caller.patch({"last_name": "佐藤"}).get_json()["updated_at"] == before
    moved = caller.patch({"last_name": "鈴木"}).get_json()["updated_at"]
    assert moved == "2027-01-15T08:01:00.000Z"
    caller.injector.set_switch("untouched_patch", "touch")
    now[0] += 60
    assert caller.patch({"last_name": "鈴木"}).get_json()["updated_at"] > moved


def test_a_deleted_crew_is_gone(caller: Caller) -> None:
    crew_id = caller.first_id
    answer = caller.send("DELETE", f"/v1/crews/{crew_id}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert caller.get(f"/v1/crews/{crew_id}").status_code == 404


# ── addresses, positions, accounts ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("switch", "zip_code"), [("replace", ""), ("merge", "106-0041")])
def test_a_partial_address_replaces_or_merges(caller: Caller, switch: str, zip_code: str) -> None:
    caller.injector.set_switch("nested_address", switch)
    address = caller.patch({"address": {"city": "港区", "street": "赤坂9-9-9"}}).get_json()["address"]
    assert (address["street"], address["zip_code"]) == ("赤坂9-9-9", zip_code)


def test_merging_needs_no_city_and_replacing_does(caller: Caller) -> None:
    assert [field for field, _ in caller.faults({"address": {"street": "1-1"}})] == ["city"]
    caller.injector.set_switch("nested_address", "merge")
    assert caller.patch({"address": {"street": "1-1"}}).get_json()["address"]["city"] == "港区"


def test_positions_have_three_slots_and_nulls(caller: Caller) -> None:
    crew = caller.patch({"positions": [None, "主任"]}).get_json()
    assert [each and each["name"] for each in crew["positions"]] == [None, "主任", None]
    assert crew["position"] is None


def test_an_unknown_position_becomes_a_job_title(caller: Caller) -> None:
    before = int(caller.get("/v1/job_titles").headers["x-total-count"])
    crew = caller.patch({"position": "工場長"}).get_json()
    assert crew["position"] == crew["positions"][0]["name"] == "工場長"
    assert int(caller.get("/v1/job_titles").headers["x-total-count"]) == before + 1
    caller.patch({"position": "工場長"})
    assert int(caller.get("/v1/job_titles").headers["x-total-count"]) == before + 1


def test_unknown_names_in_positions_are_refused_where_the_switch_says_so(caller: Caller) -> None:
    caller.injector.set_switch("positions_create", False)
    assert [field for field, _ in caller.faults({"positions": ["工場長"]})] == ["positions"]
    assert caller.patch({"positions": ["部長"]}).get_json()["position"] == "部長"


def test_a_department_text_creates_a_top_level_department(caller: Caller) -> None:
    crew = caller.patch({"department": "営業部"}).get_json()
    assert (crew["department"], crew["departments"][1:]) == ("営業部", [None, None])
    assert [each["name"] for each in caller.get("/v1/departments").get_json()] == ["営業部"]
    assert caller.send("DELETE", f"/v1/crews/{caller.first_id}/departments").status_code == 204
    assert caller.smarthr.crew("00123")["departments"] == [None] * 3


ACCOUNT = {
    "bank_code": "0001",
    "bank_branch_code": "110",
    "account_type": "saving",
    "account_number": "7654321",
    "account_holder_name": "サトウ ハナコ",
}


def setting_ids(caller: Caller) -> list[str]:
    settings = caller.get("/v1/bank_account_settings", sort="number").get_json()
    assert [each["enabled"] for each in settings] == [True, True, False, False]
    return [each["id"] for each in settings]


def test_accounts_without_ids_belong_to_the_enabled_settings_in_order(caller: Caller) -> None:
    ids = setting_ids(caller)
    accounts = caller.patch({"bank_accounts": [ACCOUNT, ACCOUNT]}).get_json()["bank_accounts"]
    assert [each["bank_account_setting_id"] for each in accounts] == ids[:2]


def test_accounts_with_ids_keep_them(caller: Caller) -> None:
    ids = setting_ids(caller)
    sent = [{**ACCOUNT, "bank_account_setting_id": ids[1]}]
    accounts = caller.patch({"bank_accounts": sent}).get_json()["bank_accounts"]
    assert [each["bank_account_setting_id"] for each in accounts] == [ids[1]]


def test_account_rules(caller: Caller) -> None:
    ids = setting_ids(caller)
    with_id = {**ACCOUNT, "bank_account_setting_id": ids[0]}

    def fields(*accounts: dict[str, Any]) -> list[str]:
        return [field for field, _ in caller.faults({"bank_accounts": list(accounts)})]

    assert fields(with_id, ACCOUNT) == ["bank_account_setting_id"]  # mixed
    assert fields({**ACCOUNT, "bank_account_setting_id": "unknown"}) == ["bank_account_setting_id"]
    assert fields({**ACCOUNT, "bank_account_setting_id": ids[2]}) == ["bank_account_setting_id"]  # not enabled
    assert fields(with_id, with_id) == ["bank_account_setting_id"]  # twice
    assert fields(ACCOUNT, ACCOUNT, ACCOUNT) == ["bank_accounts"]  # more than enabled
    assert fields({**ACCOUNT, "bank_code": "1", "account_type": "ordinary"}) == ["bank_code", "account_type"]
    assert fields({"bank_code": "0001"})[0] == "bank_branch_code"
    assert fields({**ACCOUNT, "account_holder_name": "佐藤"}) == ["account_holder_name"]
    assert caller.smarthr.crew("00123")["bank_accounts"][0]["account_number"] == "1234567"


# ── checks ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["last_name", "first_name", "last_name_yomi", "first_name_yomi", "gender", "birth_at", "address"]
)
def test_what_is_filled_cannot_be_emptied(caller: Caller, name: str) -> None:
    assert [field for field, _ in caller.faults({name: None})] == [name]


def test_what_was_never_filled_may_be_sent_empty() -> None:
    caller = Caller(replace(made(), birth=None, home=None))
    assert caller.patch({"birth_at": None, "address": None}).status_code == 200


@pytest.mark.parametrize(
    ("sent", "field", "ending"),
    [
        ({"last_name_yomi": "さとう"}, "last_name_yomi", "は全角カタカナで入力してください。"),
        ({"first_name_yomi": "ﾊﾅｺ"}, "first_name_yomi", "は全角カタカナで入力してください。"),
        ({"entered_at": "2020/04/01"}, "entered_at", "は正しい形式で入力してください。"),
        ({"resigned_at": "2023-02-29"}, "resigned_at", "は正しい形式で入力してください。"),
        ({"entered_at": ""}, "entered_at", "は正しい形式で入力してください。"),
        ({"gender": "unselected"}, "gender", "は一覧にありません。"),
        ({"emp_status": "working"}, "emp_status", "は一覧にありません。"),
        ({"emp_status": None}, "emp_status", "を入力してください。"),
        ({"widow_type": "na"}, "widow_type", "は一覧にありません。"),
        ({"occupation": "あ" * 31}, "occupation", "は30文字以内で入力してください。"),
        ({"having_spouse": "true"}, "having_spouse", "は正しい形式で入力してください。"),
        ({"hel_ins_insured_person_number": "7"}, "hel_ins_insured_person_number", "は正しい形式で入力してください。"),
        ({"monthly_standard_income_hel": True}, "monthly_standard_income_hel", "は正しい形式で入力してください。"),
        ({"basic_pension_number": "12-34"}, "basic_pension_number", "は正しい形式で入力してください。"),
        ({"emp_code": 123}, "emp_code", "は正しい形式で入力してください。"),
        ({"employment_type_id": "unknown"}, "employment_type_id", "が正しくありません。"),
        (
            {"address": {"city": "港区", "literal_yomi": "みなとく"}},
            "literal_yomi",
            "は全角カタカナで入力してください。",
        ),
        ({"address": {"city": "港区", "country_number": "JP"}}, "country_number", "は正しい形式で入力してください。"),
        ({"address": {"city": "港区", "zip_code": "106"}}, "zip_code", "は正しい形式で入力してください。"),
        ({"address": {"city": "港区", "pref": "東京"}}, "pref", "は一覧にありません。"),
        ({"resident_card_address": {"pref": "東京都"}}, "city", "を入力してください。"),
        ({"address": "港区"}, "address", "は正しい形式で入力してください。"),
    ],
)
def test_a_wrong_value_is_named_in_japanese(caller: Caller, sent: dict[str, Any], field: str, ending: str) -> None:
    ((told, message),) = caller.faults(sent)
    assert told == field
    assert message.endswith(ending)


def test_several_faults_come_at_once_and_nothing_is_written(caller: Caller) -> None:
    sent = {"last_name": "鈴木", "last_name_yomi": "すずき", "entered_at": "x", "occupation": "あ" * 31}
    assert [field for field, _ in caller.faults(sent)] == ["last_name_yomi", "entered_at", "occupation"]
    assert caller.smarthr.crew("00123")["last_name"] == "佐藤"


def test_digits_in_the_reading_of_an_address_are_a_switch(caller: Caller) -> None:
    sent = {"address": {"city": "港区", "literal_yomi": "ミナトクアザブダイ１－２"}}
    assert caller.patch(sent).status_code == 200
    caller.injector.set_switch("address_kana_digits", "reject")
    assert [field for field, _ in caller.faults(sent)] == ["literal_yomi"]


def test_an_address_abroad_needs_neither_postcode_nor_prefecture(caller: Caller) -> None:
    sent = {"address": {"country_number": "840", "city": "Portland", "zip_code": "97201-0001", "pref": "OR"}}
    assert caller.patch(sent).get_json()["address"]["pref"] == "OR"


# ── masters, webhooks, the screen ─────────────────────────────────────────────────────────────────────────────────


def test_job_titles_can_be_kept(caller: Caller) -> None:
    made_one = caller.send("POST", "/v1/job_titles", {"name": "工場長", "rank": 5}).get_json()
    path = f"/v1/job_titles/{made_one['id']}"
    assert caller.send("PATCH", path, {"name": "所長"}).get_json()["rank"] == 5
    assert caller.send("PUT", path, {"name": "所長"}).get_json()["rank"] is None  # PUT erases what is left out
    assert caller.send("DELETE", path).status_code == 204
    assert caller.get(path).status_code == 404
    assert caller.send("POST", "/v1/job_titles", {"rank": 1}).status_code == 400


def test_a_renamed_job_title_shows_in_every_crew(caller: Caller) -> None:
    title = caller.smarthr.crew("00123")["positions"][0]
    caller.send("PATCH", f"/v1/job_titles/{title['id']}", {"name": "マネージャー"})
    assert caller.get("/v1/crews").get_json()[0]["position"] == "マネージャー"


def test_employment_types_are_the_presets(caller: Caller) -> None:
    types = caller.get("/v1/employment_types").get_json()
    assert {each["preset_type"] for each in types} >= {"full_timer", "part_timer", "board_member"}
    crew = caller.patch({"emp_type": "part_timer"}).get_json()
    assert (crew["emp_type"], crew["employment_type"]["preset_type"]) == ("part_timer", "part_timer")


def test_webhook_registrations(caller: Caller) -> None:
    sent = {"url": "https://awase.example.com/webhooks/smarthr/x", "crew_updated": True, "secret_token": "s"}
    response = caller.client.post(f"{BASE}/v1/webhooks", json=sent, headers=caller.headers)
    hook = response.get_json()
    assert (response.status_code, hook["crew_updated"], hook["crew_deleted"]) == (201, True, False)
    assert "secret_token" not in hook
    path = f"/v1/webhooks/{hook['id']}"
    assert caller.send("PATCH", path, {"crew_deleted": True}).get_json()["crew_updated"] is True
    assert caller.get("/v1/webhooks").headers["x-total-count"] == "1"
    wrong = caller.client.post(f"{BASE}/v1/webhooks", json={**sent, "url": "ftp://x"}, headers=caller.headers)
    assert envelope(wrong) == (400, 1, "bad_request")
    assert caller.send("DELETE", path).status_code == 204


def test_a_person_on_the_screen_meets_no_check_and_leaves_no_call(caller: Caller) -> None:
    client = caller.client
    client.put("/_practice/switches", json={"maintenance": True})
    edited = client.put("/_practice/crews/00123", json={"last_name_yomi": "ｻﾄｳ", "address": {"building": "別館"}})
    crew = edited.get_json()
    assert (crew["last_name_yomi"], crew["address"]["building"]) == ("ｻﾄｳ", "別館")
    assert crew["address"]["city"] == "港区"
    added = client.post("/_practice/crews", json=NEW).get_json()
    assert client.delete(f"/_practice/crews/{added['id']}").status_code == 204
    assert client.get("/_practice/crews/00200").status_code == 404
    assert caller.injector.requests == []


def test_a_reset_brings_the_first_day_back(caller: Caller) -> None:
    caller.send("POST", "/v1/crews", NEW)
    caller.patch({"last_name": "鈴木", "position": "工場長"})
    caller.client.post("/_practice/reset")
    state = caller.client.get("/_practice/state").get_json()
    assert [crew["last_name"] for crew in state["crews"]] == ["佐藤"]
    assert "工場長" not in {each["name"] for each in state["job_titles"]}
    assert caller.injector.requests == []
