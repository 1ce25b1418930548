"""freee人事労務's answers, checked before other modules see them (marshmallow, one class per object of the contract).

Dates stay ISO text, so that a record is JSON-able and a survey can be kept between its pages. Null is allowed
everywhere, because freee promises no more than the type. Enums are not checked on reading, because freee has widened
them before.

The rule objects keep every field, also those this product does not know: freee does not say what becomes of
fields that a PUT leaves out, so one that was left out here might be lost there. All other objects keep only the fields
that Awase uses.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any

from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, fields, post_load, validate, validates_schema

from app.adapters.quick_schema import QuickSchema
from app.adapters.records import OneRecord, RecordField, Records, check_text, is_plain, kept_fields, readable

_DATE = validate.Regexp(r"\d{4}-\d{2}-\d{2}\Z")
_INDIVIDUAL_NUMBER = re.compile(r"individual_?num|my_?number|mynum|マイナンバー|個人番号", re.IGNORECASE)
"""個人番号 never passes through this product. The contract has no such field; if one appears, this pattern drops it."""


@lru_cache(maxsize=1_000)
def _is_individual_number(name: str) -> bool:
    """Of the name of a field. freee has a few dozen, and each is asked of every record."""
    return _INDIVIDUAL_NUMBER.search(name) is not None


class _Lenient(Schema):
    """An object whose unknown properties are ignored, as new ones appear without notice (contract, introduction)."""

    class Meta:
        unknown = EXCLUDE


def _text(*checks: Any, **options: Any) -> fields.String:
    return fields.String(allow_none=True, validate=[check_text, *checks], **options)


def _whole(**options: Any) -> fields.Integer:
    """A JSON integer, never text, of Python's own size, so that longer ids do not overflow."""
    return fields.Integer(allow_none=True, strict=True, **options)


def _flag() -> fields.Boolean:
    return fields.Boolean(allow_none=True, truthy={True}, falsy={False})


def _id() -> fields.Integer:
    return fields.Integer(required=True, strict=True, validate=validate.Range(min=1))


def _date() -> fields.String:
    return _text(_DATE)


def _day() -> fields.String:
    """A day that exists: the list of all employees decides by it in which months freee shows somebody."""
    return _text(_DATE, _exists)


def _exists(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValidationError("no such day") from None


class _Rule(Schema):
    """A rule object of one month, complete."""

    class Meta:
        unknown = INCLUDE

    @validates_schema
    def can_be_sent_back(self, rule: dict[str, Any], **_: Any) -> None:
        """Fields that Awase does not know go back as they are, so they must be such that they can."""
        unknown = {key: value for key, value in rule.items() if key not in self.fields}
        if is_plain(unknown):  # all at once, because all nearly always are
            return
        odd = {key: ["not plain"] for key, value in unknown.items() if not is_plain(value)}
        if odd or not is_plain(list(unknown)):
            raise ValidationError({key: fault for key, fault in odd.items() if is_plain(key)} or ["not plain"])

    @post_load
    def without_individual_numbers(self, rule: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {key: value for key, value in rule.items() if not _is_individual_number(key)}


class ProfileRuleSchema(_Rule):
    """本人情報."""

    last_name = _text()
    first_name = _text()
    last_name_kana = _text()
    first_name_kana = _text()
    zipcode1 = _text()
    zipcode2 = _text()
    prefecture_code = _whole()
    address = _text()
    address_kana = _text()
    phone1 = _text()
    phone2 = _text()
    phone3 = _text()
    residential_zipcode1 = _text()
    residential_zipcode2 = _text()
    residential_prefecture_code = _whole()
    residential_address = _text()
    residential_address_kana = _text()
    title = _text()
    gender = _text()
    married = _flag()
    is_working_student = _flag()
    widow_type = _text()
    disability_type = _text()
    householder = _text()
    householder_name = _text()


class InsuranceRuleSchema(_Rule):
    """健康保険 and 厚生年金保険: the fields Awase uses, which both have in common."""

    entried = _flag()
    reference_num = _text()
    standard_monthly_remuneration = _whole()


class BankAccountRuleSchema(_Rule):
    """給与振込口座 1."""

    bank_code = _text()
    branch_code = _text()
    account_type = _text()
    account_number = _text()
    account_name = _text()


class EmployeeSchema(_Lenient):
    """One employee in one month (6). Awase does not read dependents and pay, because it does not exchange them."""

    id = _id()
    num = _text()
    display_name = _text()
    base_pension_num = _text()
    employment_insurance_reference_number = _text()
    birth_date = _date()
    entry_date = _date()
    retire_date = _date()
    payroll_calculation = _flag()
    company_reference_date_rule_name = _text()
    profile_rule = fields.Nested(ProfileRuleSchema, allow_none=True)
    health_insurance_rule = fields.Nested(InsuranceRuleSchema, allow_none=True)
    welfare_pension_insurance_rule = fields.Nested(InsuranceRuleSchema, allow_none=True)
    bank_account_rule = fields.Nested(BankAccountRuleSchema, allow_none=True)


_NAMES = {"profile_rule": ("last_name", "first_name", "last_name_kana", "first_name_kana")}
_WHO = kept_fields(
    *("id", "num", "birth_date", "entry_date", "retire_date", "payroll_calculation"),
    "company_reference_date_rule_name",
    inside=_NAMES,
)
ONE_EMPLOYEE = OneRecord(EmployeeSchema(), _WHO)
EMPLOYEES = Records(EmployeeSchema(), _WHO)
"""Readers of employees: one that cannot be read keeps who they are, and the paths of the odd fields."""


class ShownEmployeeSchema(_Lenient):
    """The answer of a reading."""

    employee = RecordField(ONE_EMPLOYEE, required=True)


class EmployeeAnswerSchema(_Lenient):
    """The answer of a write. One that cannot be read leaves open what freee now holds."""

    employee = fields.Nested(EmployeeSchema, required=True)


class EmployeesAnswerSchema(_Lenient):
    """A page of the month's list."""

    employees = RecordField(EMPLOYEES, required=True)
    total_count = _whole()


class DirectoryRowSchema(_Lenient):
    """One row of the list of all employees. Without `email`, the login address, which Awase does not exchange."""

    id = _id()
    num = _text()
    entry_date = _day()
    retire_date = _day()
    payroll_calculation = _flag()
    closing_day = _whole(validate=validate.Range(min=1, max=31))
    pay_day = _whole(validate=validate.Range(min=1, max=31))
    month_of_pay_day = _text()


EVERYBODY = Records(DirectoryRowSchema(), kept_fields("id", "num", "entry_date", "retire_date", "payroll_calculation"))


class ProfileRuleAnswerSchema(_Lenient):
    employee_profile_rule = fields.Nested(ProfileRuleSchema, allow_none=True)


class HealthInsuranceRuleAnswerSchema(_Lenient):
    employee_health_insurance_rule = fields.Nested(InsuranceRuleSchema, allow_none=True)


class WelfarePensionInsuranceRuleAnswerSchema(_Lenient):
    employee_welfare_pension_insurance_rule = fields.Nested(InsuranceRuleSchema, allow_none=True)


class BankAccountRuleAnswerSchema(_Lenient):
    employee_bank_account_rule = fields.Nested(BankAccountRuleSchema, allow_none=True)


EMPLOYEE_PAGE = QuickSchema(EmployeesAnswerSchema())
SHOWN_EMPLOYEE = QuickSchema(ShownEmployeeSchema())
WRITTEN_EMPLOYEE = QuickSchema(EmployeeAnswerSchema())
PROFILE_RULE = QuickSchema(ProfileRuleAnswerSchema())
HEALTH_INSURANCE_RULE = QuickSchema(HealthInsuranceRuleAnswerSchema())
PENSION_INSURANCE_RULE = QuickSchema(WelfarePensionInsuranceRuleAnswerSchema())
BANK_ACCOUNT_RULE = QuickSchema(BankAccountRuleAnswerSchema())
"""Readers of answers, made once: to make one takes longer than to read with it."""


class CompanySchema(_Lenient):
    """A company of the signed-in user. Its names are shown to the person who connects."""

    id = fields.Integer(required=True, strict=True)
    name = _text()
    role = _text()
    external_cid = _text()


class UsersMeSchema(_Lenient):
    id = fields.Integer(required=True, strict=True)
    companies = RecordField(Records(CompanySchema(), kept_fields()), required=True)

    @post_load
    def without_odd_companies(self, me: dict[str, Any], **_: Any) -> dict[str, Any]:
        """One company that cannot be read says nothing about the others."""
        return {**me, "companies": readable(me["companies"])}


ME = UsersMeSchema()


class TokenAnswerSchema(_Lenient):
    """The token endpoint's answer (2). `company_id` is text there although it is an integer everywhere else."""

    access_token = fields.String(required=True, validate=validate.Length(min=1))
    refresh_token = fields.String(required=True, validate=validate.Length(min=1))
    expires_in = fields.Integer(load_default=21600, validate=validate.Range(min=1))
    company_id = fields.Integer(allow_none=True, load_default=None)
    external_cid = _text(load_default=None)
