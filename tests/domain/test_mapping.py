"""FIELDS walked row by row: the documented items, the vendors' contracts, the words for people.

A new row is looked at by every test that walks them; what is said of single items below is said of the documented ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from marshmallow import Schema, fields

from app.adapters.freee.schemas import EmployeeSchema
from app.adapters.smarthr.schemas import CrewSchema
from app.domain.codecs.address import InJapan
from app.domain.codecs.base import Choice, Text
from app.domain.display import BLANK_TEXT, MASK, UNCONVERTIBLE_TEXT, show
from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY, FIELDS, FieldMapping
from app.domain.settings.connection_settings import BlankPolicy, MappingOptions
from app.domain.snapshot import ABSENT, BLANK, FieldState, Unconvertible
from tests.mapping_table import mapping_table_markdown

ROWS = [pytest.param(row, id=row.key) for row in FIELDS]
KEYS = [
    *("last_name", "first_name", "last_name_kana", "first_name_kana", "birth_date", "gender", "employee_number"),
    *("title", "hired_on", "resigned_on", "having_spouse", "working_student", "widow_type", "disability_type"),
    *("home_zip_code", "home_prefecture", "home_address", "home_address_kana", "registered_zip_code"),
    *("registered_prefecture", "registered_address", "registered_address_kana", "phone", "bank_code"),
    *("bank_branch_code", "bank_account_type", "bank_account_number", "bank_account_holder"),
    *("employment_insurance_number", "basic_pension_number", "health_insured_number", "pension_insured_number"),
    *("health_standard_income", "pension_standard_income"),
]


def keys_where(test: Any) -> set[str]:
    """Those of the documented items."""
    return {row.key for row in FIELDS if row.key in KEYS and test(row)}


def test_the_rows_are_the_documented_items() -> None:
    assert [row.key for row in FIELDS if row.key in KEYS] == KEYS
    assert list(BY_KEY) == [row.key for row in FIELDS]
    numbers = {number for row in FIELDS for number in row.numbers}
    assert numbers == set(range(1, max(numbers) + 1)) >= set(range(1, 32)), "the numbers have no gap"
    twice = [number for row in FIELDS for number in row.numbers]
    assert {number for number in twice if twice.count(number) == 2} == {15, 16, 17, 18, 19}
    assert len({row.label for row in FIELDS}) == len(FIELDS)
    assert BY_KEY["home_address"].numbers == (17, 18)


def test_no_two_rows_share_a_place() -> None:
    for system in System:
        paths = [path for row in FIELDS for path in row.place(system).paths]
        assert len(paths) == len(set(paths))


def test_the_six_items_that_reach_past_months() -> None:
    assert keys_where(lambda row: row.retroactive) == {
        *("birth_date", "gender", "hired_on", "resigned_on", "basic_pension_number", "employment_insurance_number")
    }


def test_what_is_masked_grouped_and_required() -> None:
    bank = {key for key in KEYS if key.startswith("bank_")}
    insurance = {"employment_insurance_number", "basic_pension_number", "health_insured_number"}
    insurance |= {"pension_insured_number", "health_standard_income", "pension_standard_income"}
    assert keys_where(lambda row: row.masked) == bank | insurance
    assert keys_where(lambda row: row.group == "bank") == bank
    assert keys_where(lambda row: row.group not in (None, "bank")) == set()
    names = {"last_name", "first_name", "last_name_kana", "first_name_kana"}
    assert keys_where(lambda row: System.SMARTHR in row.required_by) == names | {"gender"}
    assert keys_where(lambda row: System.FREEE in row.required_by) == names | {"birth_date", "hired_on"}


def test_what_a_blank_does_and_where_it_cannot() -> None:
    agreed = {"title", "phone", "resigned_on", "widow_type", "disability_type"}
    assert keys_where(lambda row: row.blank is BlankPolicy.ERASE_IF_AGREED) == agreed
    assert keys_where(lambda row: row.blank is BlankPolicy.KEEP) == set(KEYS) - agreed
    never_in_smarthr = {"last_name", "first_name", "last_name_kana", "first_name_kana", "gender", "birth_date"}
    never_in_smarthr |= {key for key in KEYS if key.startswith(("home_", "bank_"))}
    never_in_smarthr |= {"registered_address", "having_spouse", "working_student"}
    assert keys_where(lambda row: System.SMARTHR in row.unclearable_in) == never_in_smarthr
    assert {"hired_on", "birth_date", "health_standard_income"} <= keys_where(
        lambda row: System.FREEE in row.unclearable_in
    )
    options = MappingOptions(blank_policies={"phone": BlankPolicy.KEEP})
    assert BY_KEY["phone"].blank_policy(options) is BlankPolicy.KEEP
    assert BY_KEY["title"].blank_policy(options) is BlankPolicy.ERASE_IF_AGREED


@pytest.mark.parametrize("row", ROWS)
def test_a_blank_has_one_value_per_path(row: FieldMapping) -> None:
    for system in System:
        place = row.place(system)
        if place.erased is not None:
            assert len(place.erase(([],) * len(place.paths))) == len(place.paths)


# ── the vendors' contracts ────────────────────────────────────────────────────────────────────────────────────────


def contract(name: str) -> dict[str, Any]:
    folder = Path(os.environ.get("CONTRACTS_DIR", "../shared/contracts"))
    path = folder / name
    if not path.exists():
        if os.environ.get("CI"):
            raise FileNotFoundError(f"{name} is needed here; set CONTRACTS_DIR")
        pytest.skip(f"{name} is not here; set CONTRACTS_DIR")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


FREEE_WRITES = {
    Step.EMPLOYEE: "ApiV1EmployeeUpdateRequestSerializer",
    Step.PROFILE: "ApiV1EmployeesProfileRuleUpdateRequestSerializer",
    Step.HEALTH_INSURANCE: "ApiV1EmployeesHealthInsuranceRuleUpdateRequestSerializer",
    Step.PENSION_INSURANCE: "ApiV1EmployeesWelfarePensionInsuranceRuleUpdateRequestSerializer",
    Step.BANK_ACCOUNT: "ApiV1EmployeesBankAccountRuleUpdateRequestSerializer",
}


class Schemas:
    """Finds the schema of a dotted path in a contract."""

    def __init__(self, document: dict[str, Any], definitions: dict[str, Any]) -> None:
        self._document, self._definitions = document, definitions

    def at(self, definition: str, path: str) -> dict[str, Any]:
        node = self._definitions[definition]
        for name in path.split("."):
            node = self._resolved(node)["properties"][name]
        return self._resolved(node)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while True:
            inner = node.get("allOf", [node])[0]
            if "$ref" in inner:
                node = self._definitions[inner["$ref"].rpartition("/")[2]]
            elif inner.get("type") == "array" and "properties" not in inner:
                return {**inner, **self._resolved(inner["items"])} if "$ref" in inner["items"] else inner
            else:
                return inner


def smarthr_schemas(row: FieldMapping) -> Iterator[tuple[str, dict[str, Any]]]:
    document = contract("smarthr.openapi.json")
    schemas = Schemas(document, document["definitions"])
    for definition in ("Crew", "patchV1CrewsId", "postV1Crews"):
        for path in (*row.smarthr.paths, *row.smarthr.beside):
            yield path, schemas.at(definition, path.replace("bank_account.", "bank_accounts."))


def freee_schemas(row: FieldMapping) -> Iterator[tuple[str, dict[str, Any]]]:
    document = contract("freee-hr.openapi.json")
    schemas = Schemas(document, document["components"]["schemas"])
    for path in (*row.freee.paths, *row.freee.beside):
        yield path, schemas.at("ApiV1EmployeeSerializer", path)
        yield path, schemas.at(FREEE_WRITES[row.step], path.rpartition(".")[2])


@pytest.mark.parametrize("row", ROWS)
def test_every_path_is_in_the_contracts_for_reading_and_for_writing(row: FieldMapping) -> None:
    assert len(list(smarthr_schemas(row))) == 3 * len((*row.smarthr.paths, *row.smarthr.beside))
    assert len(list(freee_schemas(row))) == 2 * len((*row.freee.paths, *row.freee.beside))


@pytest.mark.parametrize("row", [param for param in ROWS if isinstance(param.values[0].smarthr.codec, Choice)])
def test_every_word_of_a_closed_list_is_known(row: FieldMapping) -> None:
    for codec, found in ((row.smarthr.codec, smarthr_schemas(row)), (row.freee.codec, freee_schemas(row))):
        assert isinstance(codec, Choice)
        ours = {theirs for theirs, _ in (*codec.words, *codec.refused)} | set(codec.blank)
        lists = [set(schema["enum"]) for _, schema in found if "enum" in schema]
        assert lists, "neither reading nor writing declares the list"
        for words in lists:
            assert words ^ ours == set(), "these the contract and `words`, `refused`, `blank` of the codec do not share"


@pytest.mark.parametrize("row", ROWS)
def test_lengths_are_the_contracts(row: FieldMapping) -> None:
    limit = getattr(row.freee.codec, "max_length", None)
    for path, schema in freee_schemas(row):
        if limit is not None and path in row.freee.paths and "maxLength" in schema:
            assert schema["maxLength"] == limit
        if isinstance(row.freee.codec, Text):
            assert limit == 255


@pytest.mark.parametrize("row", ROWS)
def test_every_path_is_read_from_the_vendors_answers(row: FieldMapping) -> None:
    for system, schema in ((System.SMARTHR, CrewSchema()), (System.FREEE, EmployeeSchema())):
        place = row.place(system)
        unread = [path for path in (*place.paths, *place.beside) if not is_read(schema, path)]
        assert unread == [], f"give these a line in app/adapters/{system.value}/schemas.py"


def is_read(schema: Schema, path: str) -> bool:
    name, _, rest = path.replace("bank_account.", "bank_accounts.").partition(".")
    found = schema.fields.get(name)
    inner = found.inner if isinstance(found, fields.List) else found
    return found is not None and (not rest or (isinstance(inner, fields.Nested) and is_read(inner.schema, rest)))


# ── words for people ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "state", "shown"),
    [
        ("last_name", "佐藤", "佐藤"),
        ("last_name", ABSENT, None),
        ("title", BLANK, BLANK_TEXT),
        ("gender", Unconvertible("gender_unselected"), UNCONVERTIBLE_TEXT),
        ("gender", "female", "女性"),
        ("having_spouse", False, "なし"),
        ("working_student", True, "該当する"),
        ("widow_type", "single_parent", "ひとり親"),
        ("disability_type", "special", "特別障害者"),
        ("birth_date", date(1990, 4, 2), "1990/04/02"),
        ("bank_account_type", "futsu", MASK),
        ("bank_account_number", "0012345", MASK),
        ("bank_account_number", BLANK, BLANK_TEXT),
        ("health_standard_income", 300000, MASK),
    ],
)
def test_a_value_for_people(key: str, state: FieldState, shown: str | None) -> None:
    assert show(key, state) == shown


def test_a_plain_number_is_shown_as_it_is() -> None:
    assert show("title", 7) == "7"


def test_masked_values_show_only_to_those_who_may_see_them() -> None:
    for row in FIELDS:
        assert (show(row.key, "0012345") == MASK) is row.masked
    assert show("bank_account_number", "0012345", reveal=True) == "0012345"
    assert show("bank_account_type", "chochiku", reveal=True) == "貯蓄"
    assert show("pension_standard_income", 300000, reveal=True) == "300,000円"


@pytest.mark.parametrize("row", ROWS)
def test_every_word_of_a_closed_list_has_its_japanese(row: FieldMapping) -> None:
    codec = row.smarthr.codec.codec if isinstance(row.smarthr.codec, InJapan) else row.smarthr.codec
    if isinstance(codec, Choice):
        shown = [show(row.key, ours, reveal=True) for _, ours in codec.words]
        assert all(text and not text.isascii() for text in shown), "give these words Japanese: app/domain/display.py"


def test_the_table_for_the_readme_has_every_row() -> None:
    lines = mapping_table_markdown().splitlines()
    assert len(lines) == len(FIELDS) + 2
    assert len({line.count("|") for line in lines}) == 1
    for row, line in zip(FIELDS, lines[2:], strict=True):
        assert row.label in line
        assert all(f"`{path}`" in line for path in (*row.smarthr.paths, *row.freee.paths))
    assert "| 17・18 | 現住所の市区町村以降 |" in lines[2 + list(BY_KEY).index("home_address")]
    assert "過去の月にも反映" in lines[2 + list(BY_KEY).index("gender")]
