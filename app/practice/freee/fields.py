"""The bodies the freee simulator takes, field by field, with the limits that freee's API documents."""

from __future__ import annotations

from app.practice.freee.checks import BOOLEAN, DATE, INTEGER, LIST, NUMBER, Field, Kana

ANY_ID = 2_147_483_647
PAY_TYPES = ("monthly", "daily", "hourly")
GENDERS = ("unselected", "male", "female")
DISABILITIES = ("na", "general", "heavy")
CALC_TYPES = ("auto", "manual")
ELDERS = (
    "child", "senior_brother", "junior_brother", "senior_sister", "junior_sister", "grandchild", "grandfather",
    "grandmother", "father_in_law", "mother_in_law", "grandfather_in_law", "grandmother_in_law", "other",
)  # fmt: skip
HOUSEHOLDERS = ("myself", "husband", "wife", "father", "mother", *ELDERS)
RELATIONSHIPS = ("spouse", "father", "mother", *ELDERS, "great_grandfather", "great_grandmother", "spouses_child")
DEPENDENCIES = ("social_insurance_and_tax", "tax_only", "social_insurance_only", "not_dependent")
ACQUIRED = ("", "start_working", "marriage", "turnover", "decrease_in_income", "other", "birth", "live_in")
DISQUALIFIED = (
    "", "death", "divorce", "start_working_or_increase_in_income", "reach_75_years_old", "disability", "other",
    "start_working", "increase_in_income",
)  # fmt: skip
RECEIVING = "receiving_employment_insurance"
PENDING = "pending_employment_insurance"
RECEIVE_STATES = ("unselected", RECEIVING, "not_receiving_employment_insurance", PENDING)
ABROAD = ("none", "over_16_to_under_30_or_over_70", "study_abroad", "handicapped", "over_38_man")

YEAR = Field("year", "対象年", INTEGER, required=True, low=2000, high=2100)
MONTH = Field("month", "対象月", INTEGER, required=True, low=1, high=12)

NAMES = (
    Field("last_name", "姓", required=True, longest=255, blank=""),
    Field("first_name", "名", required=True, longest=255, blank=""),
    Field("last_name_kana", "姓カナ", required=True, longest=255, kana=Kana.NAME, blank=""),
    Field("first_name_kana", "名カナ", required=True, longest=255, kana=Kana.NAME, blank=""),
)
DATES = (
    Field("birth_date", "生年月日", DATE, required=True),
    Field("entry_date", "入社日", DATE, required=True),
)
NUM = Field("num", "従業員番号", longest=255, blank="")
GENDER = Field("gender", "性別", choices=GENDERS, blank="unselected")
MARRIED = Field("married", "配偶者の有無", BOOLEAN, blank=False)
GROUP = Field("company_reference_date_rule_name", "締め日支払い日", longest=15)
PAY_TYPE = Field("pay_calc_type", "給与方式", choices=PAY_TYPES)
PAY_AMOUNT = Field("pay_amount", "基本給", INTEGER, low=0, high=99_999_999)
WORKING_HOURS = Field("working_hours_system_name", "勤務・賃金設定", longest=30)
NO_PAYROLL = Field("no_payroll_calculation", "給与計算対象外", BOOLEAN, blank=False)

CREATE = (*NAMES, *DATES, NUM, GENDER, MARRIED, PAY_TYPE, PAY_AMOUNT, WORKING_HOURS, GROUP, NO_PAYROLL)

UPDATE = (
    *DATES,
    NUM,
    Field("display_name", "従業員名", longest=255),
    Field("base_pension_num", "基礎年金番号", digits=10),
    Field("employment_insurance_reference_number", "雇用保険の被保険者番号", digits=11, blank=""),
    Field("retire_date", "退職日", DATE, nullable=True),
    GROUP,
)


def _address(prefix: str, label: str, *, kana_blank: str | None) -> tuple[Field, ...]:
    return (
        Field(f"{prefix}zipcode1", f"{label}の郵便番号1", longest=3),
        Field(f"{prefix}zipcode2", f"{label}の郵便番号2", longest=4),
        Field(f"{prefix}prefecture_code", f"{label}の都道府県コード", INTEGER, low=-1, high=46),
        Field(f"{prefix}address", f"{label}の市区町村以降の住所", longest=255),
        Field(
            f"{prefix}address_kana",
            f"{label}の市区町村以降の住所カナ",
            longest=255,
            kana=Kana.ADDRESS,
            blank=kana_blank,
        ),
    )


PROFILE = (
    *NAMES,
    *_address("", "住民票住所", kana_blank=""),
    Field("phone1", "電話番号1", longest=5),
    Field("phone2", "電話番号2", longest=4),
    Field("phone3", "電話番号3", longest=4),
    *_address("residential_", "現住所", kana_blank=None),
    Field(
        "employment_type",
        "雇用形態",
        choices=("board-member", "regular", "fixed-term", "part-time", "temporary", ""),
    ),
    Field("title", "肩書", longest=255),
    GENDER,
    MARRIED,
    Field("is_working_student", "勤労学生", BOOLEAN, blank=False),
    Field("widow_type", "寡夫/寡婦", choices=("na", "widower", "widow", "special_widow", "one_parent"), blank="na"),
    Field("disability_type", "障害", choices=DISABILITIES, blank="na"),
    Field("email", "メールアドレス", nullable=True, longest=255),
    Field("householder_name", "世帯主の氏名", longest=255, blank=""),
    Field("householder", "世帯主の続柄", choices=HOUSEHOLDERS),
)

BASIC_PAY = (
    Field("pay_calc_type", "給与方式", required=True, choices=PAY_TYPES),
    Field("pay_amount", "基本給", INTEGER, required=True, low=0, high=99_999_999),
)

BANK = (
    Field("bank_name", "金融機関名", longest=255),
    Field("bank_name_kana", "金融機関名カナ", longest=255, kana=Kana.BANK),
    Field("bank_code", "金融機関コード", digits=4),
    Field("branch_name", "支店名", longest=255),
    Field("branch_name_kana", "支店名カナ", longest=255, kana=Kana.BANK),
    Field("branch_code", "支店コード", digits=3),
    Field("account_number", "口座番号", digits=7),
    Field("account_name", "口座名義カナ", longest=50, kana=Kana.BANK),
    Field("account_type", "預金種類", choices=("ordinary", "current", "saving")),
)


def _employee_amount(name: str) -> Field:
    return Field(name, "従業員負担額", INTEGER, nullable=True, low=-999_999_999, high=999_999_999)


def _company_amount(name: str) -> Field:
    return Field(name, "会社負担額", NUMBER, nullable=True, low=-999_999_999.9999, high=999_999_999.9999)


def _calc_type(name: str) -> Field:
    return Field(name, "保険料の計算方法", choices=CALC_TYPES, blank="auto")


def _premiums(premium: str) -> tuple[Field, ...]:
    """One premium: calculation type and manual amounts, for salary and bonus."""
    return tuple(
        field
        for pay in ("salary", "bonus")
        for field in (
            _calc_type(f"{premium}_{pay}_calc_type"),
            _employee_amount(f"manual_{premium}_amount_of_employee_{pay}"),
            _company_amount(f"manual_{premium}_amount_of_company_{pay}"),
        )
    )


_INSURANCE = (
    Field("entried", "加入", BOOLEAN, blank=False),
    Field("reference_num", "被保険者整理番号", longest=255),
    Field("standard_monthly_remuneration", "標準報酬月額", INTEGER, required=True, low=1, high=ANY_ID, blank=0),
)
HEALTH = (
    *_INSURANCE,
    *_premiums("health_insurance"),
    *_premiums("care_insurance"),
    *_premiums("child_support_fund"),
    Field("health_insurance_qualification_required", "資格確認書の発行要否", BOOLEAN, blank=False),
)
PENSION = (
    *_INSURANCE,
    *_premiums("welfare_pension_insurance"),
    _calc_type("child_allowance_contribution_salary_calc_type"),
    _company_amount("manual_child_allowance_contribution_amount_salary"),
    _calc_type("child_allowance_contribution_bonus_calc_type"),
    _company_amount("manual_child_allowance_contribution_amount_bonus"),
)


def _dependency(prefix: str, label: str) -> tuple[Field, ...]:
    return (
        Field(f"{prefix}_dependent_acquisition_date", f"{label}の扶養加入日", DATE, nullable=True),
        Field(f"{prefix}_dependent_acquisition_reason", f"{label}の扶養加入理由", choices=ACQUIRED, blank=""),
        Field(f"{prefix}_other_dependent_acquisition_reason", f"{label}のその他の加入理由", nullable=True, longest=255),
        Field(f"{prefix}_dependent_disqualification_date", f"{label}の扶養喪失日", DATE, nullable=True),
        Field(f"{prefix}_dependent_disqualification_reason", f"{label}の扶養喪失理由", choices=DISQUALIFIED, blank=""),
        Field(
            f"{prefix}_other_dependent_disqualification_reason",
            f"{label}のその他の喪失理由",
            nullable=True,
            longest=255,
        ),
    )


DEPENDENT = (
    Field("last_name", "家族の姓", required=True, longest=255),
    Field("first_name", "家族の名", required=True, longest=255),
    Field("last_name_kana", "家族の姓カナ", longest=255, kana=Kana.NAME),
    Field("first_name_kana", "家族の名カナ", longest=255, kana=Kana.NAME),
    Field("gender", "家族の性別", required=True, choices=GENDERS),
    Field("relationship", "続柄", required=True, choices=RELATIONSHIPS),
    Field("birth_date", "家族の生年月日", DATE, required=True),
    Field("residence_type", "同居・別居", required=True, choices=("live_in", "resident", "non_resident")),
    *_address("", "家族の住所", kana_blank=None),
    Field("base_pension_num", "家族の基礎年金番号", longest=10),
    Field("income", "年間所得", INTEGER, required=True, low=0, high=999_999_999),
    Field("annual_revenue", "年間収入", INTEGER, required=True, low=0, high=999_999_999),
    Field("disability_type", "家族の障害", required=True, choices=DISABILITIES),
    Field("occupation", "職業", longest=255),
    Field("annual_remittance_amount", "一年間の送金額", INTEGER, low=0, high=999_999_999, blank=0),
    Field("employment_insurance_receive_status", "雇用保険受給の有無", nullable=True, choices=RECEIVE_STATES),
    Field("employment_insurance_receives_from", "雇用保険受給開始年月日", DATE, nullable=True),
    Field("health_insurance_qualification_required", "資格確認書の発行要否", BOOLEAN, blank=False),
    Field(
        "phone_type",
        "電話番号の種別",
        nullable=True,
        choices=("unselected", "home", "office", "mobile", "other"),
    ),
    Field("phone1", "家族の電話番号1", nullable=True, longest=4),
    Field("phone2", "家族の電話番号2", nullable=True, longest=4),
    Field("phone3", "家族の電話番号3", nullable=True, longest=4),
    Field("social_insurance_and_tax_dependent", "扶養状況", required=True, choices=DEPENDENCIES),
    *_dependency("social_insurance", "社会保険"),
    *_dependency("tax", "税"),
    Field("non_resident_dependents_reason", "非居住者である親族の条件", choices=ABROAD, blank="none"),
)
DEPENDENT_ID = Field("id", "家族情報ルールID", INTEGER, low=1, high=ANY_ID)
DESTROY = Field("destroy", "削除", BOOLEAN)

DEPENDENTS = Field("employee_dependent_rules", "家族情報ルール", LIST, required=True)

_CODE = Field("code", "コード", nullable=True, shortest=1, longest=255)
_NAME = Field("name", "名称", required=True, shortest=1, longest=255)
GROUP_MASTER = (_CODE, _NAME, Field("parent_group_id", "親部門ID", INTEGER, nullable=True, low=1, high=ANY_ID))
POSITION_MASTER = (_CODE, _NAME)
