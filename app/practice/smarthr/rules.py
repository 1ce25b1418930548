"""SmartHR's checks of a crew that is written: every fault found at once, in the vendor's shape and language.

docs/vendors/smarthr.md says where each rule is known from. Some SmartHR does not document; we chose them strictly, so
that a careless client is caught: the forms of phone, pension and insurance numbers, bank codes and prefecture names, at
most three positions and departments, dates before 1900.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.practice.smarthr.fields import ADDRESS_PARTS, NOT_EMPTIABLE, PREFECTURES, WRITABLE, label

SLOTS = 3

_NAME_KANA = re.compile(r"[ァ-ヴヵヶー・　 ]+")
_ADDRESS_KANA = re.compile(r"[ァ-ヴヵヶー・　 ]+")
_ADDRESS_KANA_DIGITS = re.compile(r"[ァ-ヴヵヶー・　 0-9０-９\-－‐]+")
_HOLDER = re.compile(r"[ァ-ヴヵヶー0-9A-Z０-９Ａ-Ｚ（）()．.\-－／/　 ]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COUNTRY = re.compile(r"[0-9]{3}")
_FORMS = {
    "tel_number": re.compile(r"[0-9+()\- ]{1,20}"),
    "emp_ins_insured_person_number": re.compile(r"[0-9]{4}-?[0-9]{6}-?[0-9]"),
    "basic_pension_number": re.compile(r"[0-9]{4}-?[0-9]{6}"),
    "email": re.compile(r"[^@\s]+@[^@\s]+"),
}
_BANK_FORMS = {
    "bank_code": re.compile(r"[0-9]{4}"),
    "bank_branch_code": re.compile(r"[0-9]{3}"),
    "account_type": re.compile(r"saving|checking|deposit"),
    "account_number": re.compile(r"[0-9]{1,8}"),
    "account_holder_name": _HOLDER,
}
_BANK_CHOICES = {
    "transfer_type": ("full", "specified", "remaining"),
    "transfer_category": ("salary_and_bonus", "salary", "bonus"),
}
BANK_PARTS = (
    *_BANK_FORMS,
    *_BANK_CHOICES,
    "specified_transfer_amount",
    "bankbook_image",
    "bank_account_setting_id",
)


@dataclass
class Findings:
    """The faults of one write, `{message, resource, field}` each. `field` of a nested value is its inner name."""

    errors: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, ending: str) -> None:
        self.errors.append({"message": f"{label(name)}{ending}", "resource": "Crew", "field": name})

    def malformed(self, name: str) -> None:
        self.add(name, "は正しい形式で入力してください。")

    def empty(self, name: str) -> None:
        self.add(name, "を入力してください。")


@dataclass(frozen=True)
class Tenant:
    """What a check of one crew needs to know of the rest of the company."""

    employment_type_ids: frozenset[str]
    payment_period_ids: frozenset[str]
    department_ids: frozenset[str]
    job_title_names: frozenset[str]
    enabled_settings: tuple[str, ...]
    """Ids of the enabled bank account settings in order."""
    custom_template_ids: frozenset[str]
    taken_numbers: frozenset[str]
    """社員番号 of the other crews; empty when duplicates are allowed."""
    digits_in_kana: bool
    positions_create: bool


def check_write(sent: Mapping[str, Any], present: Mapping[str, Any], tenant: Tenant) -> list[dict[str, Any]]:
    """All faults of a write body against the crew as it is (empty for a new one); no faults when it is acceptable."""
    found = Findings()
    for name, value in sent.items():
        kind = WRITABLE.get(name)
        if kind is None:
            continue  # undeclared parameters are ignored (nobody says it; usual for such a server)
        if value is None or any(value == empty and kind in kinds for empty, kinds in _EMPTY_MEANS_CLEAR):
            _check_emptying(name, present, found)
        elif isinstance(kind, tuple):
            if value not in kind:
                found.add(name, "は一覧にありません。")
        elif kind == "special":
            _SPECIAL[name](name, value, tenant, found)
        elif kind == "address":
            check_address(value, found, digits_in_kana=tenant.digits_in_kana)
        else:
            _check_plain(name, value, kind, found)
    number = sent.get("emp_code")
    if isinstance(number, str) and number in tenant.taken_numbers:
        found.add("emp_code", "はすでに存在します。")
    return found.errors


_EMPTY_MEANS_CLEAR: tuple[tuple[Any, tuple[str, ...]], ...] = (
    ("", ("text", "kana", "address", "special")),
    ({}, ("address", "special")),
)
"""Empty values and the kinds they clear; a date, number or choice is cleared by null only."""


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == {}


def _check_emptying(name: str, present: Mapping[str, Any], found: Findings) -> None:
    if name == "emp_status" or (name in NOT_EMPTIABLE and not _is_empty(present.get(name))):
        found.empty(name)


def _check_plain(name: str, value: Any, kind: str, found: Findings) -> None:
    if not _PLAIN[kind](value):
        if kind == "kana" and isinstance(value, str):
            found.add(name, "は全角カタカナで入力してください。")
        else:
            found.malformed(name)
    elif name in _FORMS and not _FORMS[name].fullmatch(value):
        found.malformed(name)
    elif name == "occupation" and len(value) > 30:
        found.add(name, "は30文字以内で入力してください。")


def _is_date(value: Any) -> bool:
    """`YYYY-MM-DD` and a day that exists."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        return date.fromisoformat(value).year >= 1900
    except ValueError:
        return False


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str) and len(value) <= 255,
    "kana": lambda value: isinstance(value, str) and _NAME_KANA.fullmatch(value) is not None,
    "date": _is_date,
    "int": _is_int,
    "bool": lambda value: isinstance(value, bool),
    "attachment": lambda value: isinstance(value, dict) and {"file_name", "content"} <= set(value),
    "master": lambda value: isinstance(value, str),
}


def check_address(value: Any, found: Findings, *, digits_in_kana: bool) -> None:
    """Check an address as it will stand, that is after merging where the tenant merges."""
    if not isinstance(value, dict) or not all(v is None or isinstance(v, str) for v in value.values()):
        found.malformed("address")
        return
    country = value.get("country_number") or ""
    if country and not _COUNTRY.fullmatch(country):
        found.malformed("country_number")
    if not value.get("city"):  # the only part marked required
        found.empty("city")
    kana = value.get("literal_yomi") or ""
    pattern = _ADDRESS_KANA_DIGITS if digits_in_kana else _ADDRESS_KANA
    if kana and not pattern.fullmatch(kana):
        found.add("literal_yomi", "は全角カタカナで入力してください。")
    if country in ("", "392"):
        if value.get("zip_code") and not re.fullmatch(r"[0-9]{3}-?[0-9]{4}", value["zip_code"]):
            found.malformed("zip_code")
        if value.get("pref") and value["pref"] not in PREFECTURES:
            found.add("pref", "は一覧にありません。")


def _check_bank_accounts(name: str, value: Any, tenant: Tenant, found: Findings) -> None:
    """All entries or none have a setting id, ids are known, no more entries than enabled settings."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        found.malformed(name)
        return
    for entry in value:
        _check_bank_account(entry, found)
    ids = [entry.get("bank_account_setting_id") for entry in value]
    given = [each for each in ids if each]
    if not all(isinstance(each, str) for each in given):
        found.malformed("bank_account_setting_id")
    elif given and len(given) != len(ids):
        found.add("bank_account_setting_id", "はすべての口座に指定するか、すべての口座で省略してください。")
    elif len(set(given)) != len(given) or not set(given) <= set(tenant.enabled_settings):
        found.add("bank_account_setting_id", "が正しくありません。")
    if len(value) > len(tenant.enabled_settings):
        found.add(name, "は有効な口座設定の数以内で入力してください。")


def _check_bank_account(entry: Mapping[str, Any], found: Findings) -> None:
    for part, pattern in _BANK_FORMS.items():
        value = entry.get(part)
        if _is_empty(value):
            found.empty(part)
        elif not isinstance(value, str) or not pattern.fullmatch(value):
            if part == "account_holder_name":
                found.add(part, "は全角カタカナで入力してください。")
            else:
                found.malformed(part)
    for part, allowed in _BANK_CHOICES.items():
        if entry.get(part) is not None and entry[part] not in allowed:
            found.add(part, "は一覧にありません。")


def _is_known(value: Any, known: frozenset[str]) -> bool:
    return isinstance(value, str) and value in known


def _check_ids(known: Callable[[Tenant], frozenset[str]]) -> Callable[[str, Any, Tenant, Findings], None]:
    def check(name: str, value: Any, tenant: Tenant, found: Findings) -> None:
        values: Sequence[Any] = value if isinstance(value, list) else [value]
        if len(values) > SLOTS or not all(each is None or _is_known(each, known(tenant)) for each in values):
            found.add(name, "が正しくありません。")

    return check


def _check_positions(name: str, value: Any, tenant: Tenant, found: Findings) -> None:
    values = value if isinstance(value, list) else [value]
    if len(values) > SLOTS or not all(each is None or isinstance(each, str) for each in values):
        found.malformed(name)
    elif name == "positions" and not tenant.positions_create and {*values} - {None} - tenant.job_title_names:
        found.add(name, "が正しくありません。")


def _check_custom(name: str, value: Any, tenant: Tenant, found: Findings) -> None:
    rows = value if isinstance(value, list) else [None]
    if not all(isinstance(row, dict) and _is_known(row.get("template_id"), tenant.custom_template_ids) for row in rows):
        found.add(name, "が正しくありません。")


def _check_text(name: str, value: Any, _tenant: Tenant, found: Findings) -> None:
    if not isinstance(value, str):
        found.malformed(name)


def _accept(_name: str, _value: Any, _tenant: Tenant, _found: Findings) -> None:
    """Accept any value: `departments` is the read shape, which a write ignores; a picture is taken as it is."""


_SPECIAL: dict[str, Callable[[str, Any, Tenant, Findings], None]] = {
    "bank_accounts": _check_bank_accounts,
    "employment_type_id": _check_ids(lambda tenant: tenant.employment_type_ids),
    "payment_period_id": _check_ids(lambda tenant: tenant.payment_period_ids),
    "department_ids": _check_ids(lambda tenant: tenant.department_ids),
    "department": _check_text,
    "departments": _accept,
    "position": _check_text,
    "positions": _check_positions,
    "custom_fields": _check_custom,
    "profile_image": _accept,
}


def address_to_store(sent: Mapping[str, Any], present: Mapping[str, Any] | None, *, merge: bool) -> dict[str, Any]:
    """The address as it will stand; SmartHR does not document whether nested addresses merge."""
    base = dict(present or {}) if merge else {}
    return {part: sent.get(part, base.get(part, "")) for part in ADDRESS_PARTS}
