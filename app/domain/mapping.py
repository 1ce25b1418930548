"""The items that are exchanged: one row per item, with its place in SmartHR and in freee人事労務.

`reading`, `planning` and `writing` go through the rows from top to bottom; a new item is a new row. `FieldMapping`
tells what the rows mean and where the facts come from. 建物名 and 市区町村 + 丁目・番地 share one freee item, so items
17 and 18 are one row. Between the two systems stands one plain value, with a codec on each side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from app.domain.codecs.address import (
    ZIP_CODE,
    AddressInOne,
    AddressInParts,
    AddressKana,
    InJapan,
    PrefectureCode,
    PrefectureName,
    SplitZipCode,
)
from app.domain.codecs.bank import (
    FREEE_ACCOUNT_TYPE,
    SMARTHR_ACCOUNT_TYPE,
    AccountHolder,
    AccountNumber,
    PaddedDigits,
)
from app.domain.codecs.base import (
    WIDTH,
    CannotEncode,
    Choice,
    Codec,
    Date,
    Katakana,
    Raw,
    Text,
    YesNo,
)
from app.domain.codecs.contact import PHONE_IN_ONE, FirstPosition, SplitPhone, erase_positions
from app.domain.codecs.numbers import Grouped, NumberAsInteger, NumberAsText, Yen
from app.domain.enums import Step, System
from app.domain.settings.connection_settings import BlankPolicy, MappingOptions
from app.domain.snapshot import Plain
from app.domain.vendors.assumptions import SMARTHR_ADDRESS_KANA_TAKES_SIGNS

Erased = tuple[Any, ...] | Callable[[Raw], Raw] | None


@dataclass(frozen=True)
class Place:
    """Where one system keeps an item. Paths are dotted; `bank_account.` is SmartHR's account for salary.

    `beside`: paths that this row reads as well (the prefecture of an address, its country) and does not write.
    `erased`: what to write for a blank, one value per path; None when the system does not let the item be emptied.
    """

    paths: tuple[str, ...]
    codec: Codec
    beside: tuple[str, ...] = ()
    erased: Erased = None

    def erase(self, current: Raw) -> Raw:
        if self.erased is None:
            raise CannotEncode("not_clearable")
        return self.erased(current) if callable(self.erased) else self.erased


@dataclass(frozen=True)
class FieldMapping:
    """One row. `numbers` are those of the documented list of pairs.

    `step`: the request that writes the item to freee. `retroactive`: freee changes past months as well.
    `required_by`: systems that refuse to create an employee without the item.
    `group`: rows that only make sense together. `called`: what else vendors call the item when they refuse it.
    """

    key: str
    numbers: tuple[int, ...]
    label: str
    smarthr: Place
    freee: Place
    step: Step
    masked: bool = False
    retroactive: bool = False
    blank: BlankPolicy = BlankPolicy.KEEP
    required_by: frozenset[System] = frozenset()
    group: str | None = None
    called: tuple[str, ...] = ()

    @property
    def unclearable_in(self) -> frozenset[System]:
        """Systems that refuse to empty the item once it is filled."""
        return frozenset(system for system in System if self.place(system).erased is None)

    def place(self, system: System) -> Place:
        return self.smarthr if system is System.SMARTHR else self.freee

    def comparable(self, plain: Plain) -> str:
        """One form in which both systems' writings of a value are equal."""
        return _compared(self.key, plain) if type(plain) is str else self.smarthr.codec.comparable(plain)

    def blank_policy(self, options: MappingOptions) -> BlankPolicy:
        return options.blank_policies.get(self.key, self.blank)


KEPT = 4096
"""Results for so many texts are kept, those of some sixty people: one employee's values are read and compared again and
again while the employee is planned and written, and then not any more."""


@lru_cache(maxsize=KEPT)
def _compared(key: str, text: str) -> str:
    return BY_KEY[key].smarthr.codec.comparable(text)


def at(*paths: str, codec: Codec, beside: tuple[str, ...] = (), erased: Erased = None) -> Place:
    return Place(paths=paths, codec=codec, beside=beside, erased=erased)


_FREEE_TEXT = Text(max_length=255)
_FREEE_KANA = Katakana(max_length=255)
_DATE = Date()
_BOTH = frozenset(System)
_SMARTHR = frozenset({System.SMARTHR})
_FREEE = frozenset({System.FREEE})
_AGREED = BlankPolicy.ERASE_IF_AGREED
_NULL = (None,)
_EMPTY = ("",)
_EMPLOYEE, _PROFILE, _HEALTH = Step.EMPLOYEE, Step.PROFILE, Step.HEALTH_INSURANCE
_PENSION, _BANK = Step.PENSION_INSURANCE, Step.BANK_ACCOUNT

_SMARTHR_ADDRESS_KANA = AddressKana(with_prefecture=True, takes_signs=SMARTHR_ADDRESS_KANA_TAKES_SIGNS)
_GENDERS = (("male", "male"), ("female", "female"))
_SMARTHR_WIDOW = Choice(words=(("widow", "widow"), ("single_parent", "single_parent")))
_FREEE_WIDOW = Choice(
    words=(("widow", "widow"), ("one_parent", "single_parent")),
    blank=("na",),
    # Categories the tax reform of 2020 abolished; SmartHR has no word for them.
    refused=(("widower", "abolished_widow_type"), ("special_widow", "abolished_widow_type")),
)
_SMARTHR_DISABILITY = Choice(words=(("ordinary_handicapped", "ordinary"), ("special_handicapped", "special")))
_FREEE_DISABILITY = Choice(words=(("general", "ordinary"), ("heavy", "special")), blank=("na",))


def _address(key: str, label: str, *, smarthr: str, freee: str, clearable: bool) -> tuple[FieldMapping, ...]:
    """The four rows of one address. `smarthr`: the object's name; `freee`: the prefix of the profile's names.

    SmartHR does not let 現住所 be emptied, and takes no address without 市区町村.
    """
    country, pref, code = f"{smarthr}.country_number", f"{smarthr}.pref", f"profile_rule.{freee}prefecture_code"
    emptied = _EMPTY if clearable else None
    profile = f"profile_rule.{freee}"
    # fmt: off
    return (
        FieldMapping(key=f"{key}_zip_code", numbers=(15,), label=f"{label}の郵便番号", step=_PROFILE,
                     smarthr=at(f"{smarthr}.zip_code", codec=InJapan(ZIP_CODE), beside=(country,), erased=emptied),
                     freee=at(f"{profile}zipcode1", f"{profile}zipcode2", codec=SplitZipCode(), erased=("", ""))),
        FieldMapping(key=f"{key}_prefecture", numbers=(16,), label=f"{label}の都道府県", step=_PROFILE,
                     smarthr=at(pref, codec=InJapan(PrefectureName()), beside=(f"{smarthr}.city", country),
                                erased=emptied),
                     freee=at(code, codec=PrefectureCode(), beside=(f"{profile}address",), erased=(-1,))),
        FieldMapping(key=f"{key}_address", numbers=(17, 18), label=f"{label}の市区町村以降", step=_PROFILE,
                     called=(label,),
                     smarthr=at(f"{smarthr}.city", f"{smarthr}.street", f"{smarthr}.building",
                                codec=InJapan(AddressInParts()), beside=(pref, country)),
                     freee=at(f"{profile}address", codec=AddressInOne(), beside=(code,), erased=_EMPTY)),
        FieldMapping(key=f"{key}_address_kana", numbers=(19,), label=f"{label}のヨミガナ", step=_PROFILE,
                     smarthr=at(f"{smarthr}.literal_yomi", codec=InJapan(_SMARTHR_ADDRESS_KANA),
                                beside=(pref, country), erased=emptied),
                     freee=at(f"{profile}address_kana", codec=AddressKana(with_prefecture=False, max_length=255),
                              beside=(code,), erased=_EMPTY)),
    )
    # fmt: on


def _bank(
    key: str, number: int, label: str, *, smarthr: Place, freee: Place, called: tuple[str, ...] = ()
) -> FieldMapping:
    return FieldMapping(
        key=key,
        numbers=(number,),
        label=label,
        smarthr=smarthr,
        freee=freee,
        step=_BANK,
        masked=True,
        group="bank",
        called=called,
    )


# fmt: off
FIELDS: tuple[FieldMapping, ...] = (
    # 本人 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
    FieldMapping(key="last_name", numbers=(1,), label="姓", step=_PROFILE, required_by=_BOTH,
                 smarthr=at("last_name", codec=Text()),
                 freee=at("profile_rule.last_name", codec=_FREEE_TEXT)),
    FieldMapping(key="first_name", numbers=(2,), label="名", step=_PROFILE, required_by=_BOTH,
                 smarthr=at("first_name", codec=Text()),
                 freee=at("profile_rule.first_name", codec=_FREEE_TEXT)),
    FieldMapping(key="last_name_kana", numbers=(3,), label="姓（カナ）", step=_PROFILE, required_by=_BOTH,
                 smarthr=at("last_name_yomi", codec=Katakana()),
                 freee=at("profile_rule.last_name_kana", codec=_FREEE_KANA)),
    FieldMapping(key="first_name_kana", numbers=(4,), label="名（カナ）", step=_PROFILE, required_by=_BOTH,
                 smarthr=at("first_name_yomi", codec=Katakana()),
                 freee=at("profile_rule.first_name_kana", codec=_FREEE_KANA)),
    FieldMapping(key="birth_date", numbers=(5,), label="生年月日", step=_EMPLOYEE, retroactive=True, required_by=_FREEE,
                 smarthr=at("birth_at", codec=_DATE),
                 freee=at("birth_date", codec=_DATE)),
    FieldMapping(key="gender", numbers=(6,), label="性別", step=_PROFILE, retroactive=True, required_by=_SMARTHR,
                 smarthr=at("gender", codec=Choice(words=_GENDERS)),
                 freee=at("profile_rule.gender",
                          codec=Choice(words=_GENDERS, refused=(("unselected", "gender_unselected"),)))),
    FieldMapping(key="employee_number", numbers=(7,), label="社員番号", step=_EMPLOYEE, called=("従業員番号",),
                 smarthr=at("emp_code", codec=Text(rules=(WIDTH,)), erased=_NULL),
                 freee=at("num", codec=Text(max_length=255, rules=(WIDTH,)), erased=_EMPTY)),
    FieldMapping(key="title", numbers=(8,), label="役職・肩書", step=_PROFILE, blank=_AGREED,
                 smarthr=at("positions", codec=FirstPosition(), beside=("position",), erased=erase_positions),
                 freee=at("profile_rule.title", codec=_FREEE_TEXT, erased=_EMPTY)),
    FieldMapping(key="hired_on", numbers=(9,), label="入社年月日", step=_EMPLOYEE, retroactive=True, required_by=_FREEE,
                 smarthr=at("entered_at", codec=_DATE, erased=_NULL),
                 freee=at("entry_date", codec=_DATE)),
    FieldMapping(key="resigned_on", numbers=(10,), label="退職年月日", step=_EMPLOYEE, retroactive=True, blank=_AGREED,
                 smarthr=at("resigned_at", codec=_DATE, erased=_NULL),
                 freee=at("retire_date", codec=_DATE, erased=_NULL)),
    # 税 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
    FieldMapping(key="having_spouse", numbers=(11,), label="配偶者の有無", step=_PROFILE, called=("配偶者",),
                 smarthr=at("having_spouse", codec=YesNo()),
                 freee=at("profile_rule.married", codec=YesNo())),
    FieldMapping(key="working_student", numbers=(12,), label="勤労学生", step=_PROFILE,
                 smarthr=at("working_student_flag", codec=YesNo()),
                 freee=at("profile_rule.is_working_student", codec=YesNo())),
    FieldMapping(key="widow_type", numbers=(13,), label="寡婦・ひとり親", step=_PROFILE, blank=_AGREED,
                 smarthr=at("widow_type", codec=_SMARTHR_WIDOW, erased=_NULL),
                 freee=at("profile_rule.widow_type", codec=_FREEE_WIDOW, erased=("na",))),
    FieldMapping(key="disability_type", numbers=(14,), label="障害者区分", step=_PROFILE, blank=_AGREED,
                 called=("障害",),
                 smarthr=at("handicapped_type", codec=_SMARTHR_DISABILITY, erased=_NULL),
                 freee=at("profile_rule.disability_type", codec=_FREEE_DISABILITY, erased=("na",))),
    # 住所・電話 ──────────────────────────────────────────────────────────────────────────────────────────────────────
    *_address("home", "現住所", smarthr="address", freee="residential_", clearable=False),
    *_address("registered", "住民票住所", smarthr="resident_card_address", freee="", clearable=True),
    FieldMapping(key="phone", numbers=(20,), label="電話番号", step=_PROFILE, blank=_AGREED,
                 smarthr=at("tel_number", codec=PHONE_IN_ONE, erased=_NULL),
                 freee=at("profile_rule.phone1", "profile_rule.phone2", "profile_rule.phone3",
                          codec=SplitPhone(), erased=("", "", ""))),
    # 口座 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
    _bank("bank_code", 21, "銀行コード",
          smarthr=at("bank_account.bank_code", codec=PaddedDigits(length=4)),
          freee=at("bank_account_rule.bank_code", codec=PaddedDigits(length=4), erased=_EMPTY)),
    _bank("bank_branch_code", 22, "支店コード",
          smarthr=at("bank_account.bank_branch_code", codec=PaddedDigits(length=3)),
          freee=at("bank_account_rule.branch_code", codec=PaddedDigits(length=3), erased=_EMPTY)),
    _bank("bank_account_type", 23, "預金種別",
          smarthr=at("bank_account.account_type", codec=SMARTHR_ACCOUNT_TYPE),
          freee=at("bank_account_rule.account_type", codec=FREEE_ACCOUNT_TYPE)),
    _bank("bank_account_number", 24, "口座番号",
          smarthr=at("bank_account.account_number", codec=AccountNumber(),
                     beside=("bank_account.bank_code", "bank_account.bank_branch_code", "bank_account.account_type")),
          freee=at("bank_account_rule.account_number", codec=AccountNumber(), erased=_EMPTY,
                   beside=("bank_account_rule.bank_code", "bank_account_rule.branch_code",
                           "bank_account_rule.account_type"))),
    _bank("bank_account_holder", 25, "口座名義（カナ）", called=("口座名義", "名義"),
          smarthr=at("bank_account.account_holder_name", codec=AccountHolder()),
          freee=at("bank_account_rule.account_name", codec=AccountHolder(max_length=50), erased=_EMPTY)),
    # 社会保険 ────────────────────────────────────────────────────────────────────────────────────────────────────────
    FieldMapping(key="employment_insurance_number", numbers=(26,), label="雇用保険の被保険者番号", step=_EMPLOYEE,
                 masked=True, retroactive=True,
                 smarthr=at("emp_ins_insured_person_number", codec=Grouped(groups=(4, 6, 1), hyphens=True),
                            erased=_NULL),
                 freee=at("employment_insurance_reference_number", codec=Grouped(groups=(4, 6, 1), hyphens=False),
                          erased=_EMPTY)),
    FieldMapping(key="basic_pension_number", numbers=(27,), label="基礎年金番号", step=_EMPLOYEE,
                 masked=True, retroactive=True,
                 smarthr=at("basic_pension_number", codec=Grouped(groups=(4, 6), hyphens=True), erased=_NULL),
                 freee=at("base_pension_num", codec=Grouped(groups=(4, 6), hyphens=False), erased=_EMPTY)),
    FieldMapping(key="health_insured_number", numbers=(28,), label="健康保険の被保険者整理番号", step=_HEALTH,
                 masked=True,
                 smarthr=at("hel_ins_insured_person_number", codec=NumberAsInteger(), erased=_NULL),
                 freee=at("health_insurance_rule.reference_num", codec=NumberAsText(), erased=_EMPTY)),
    FieldMapping(key="pension_insured_number", numbers=(29,), label="厚生年金保険の被保険者整理番号", step=_PENSION,
                 masked=True,
                 smarthr=at("soc_ins_insured_person_number", codec=NumberAsInteger(), erased=_NULL),
                 freee=at("welfare_pension_insurance_rule.reference_num", codec=NumberAsText(), erased=_EMPTY)),
    FieldMapping(key="health_standard_income", numbers=(30,), label="健康保険の標準報酬月額", step=_HEALTH, masked=True,
                 smarthr=at("monthly_standard_income_hel", codec=Yen(), erased=_NULL),
                 freee=at("health_insurance_rule.standard_monthly_remuneration", codec=Yen())),
    FieldMapping(key="pension_standard_income", numbers=(31,), label="厚生年金保険の標準報酬月額", step=_PENSION,
                 masked=True,
                 smarthr=at("monthly_standard_income_pns", codec=Yen(), erased=_NULL),
                 freee=at("welfare_pension_insurance_rule.standard_monthly_remuneration", codec=Yen())),
)
# fmt: on

BY_KEY: Mapping[str, FieldMapping] = MappingProxyType({row.key: row for row in FIELDS})
