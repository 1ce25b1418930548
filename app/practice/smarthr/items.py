"""The items of a crew on SmartHR's screens, in SmartHR's words."""

from __future__ import annotations

from app.practice.pages.items import CHOICE, DATE, NUMBER, Item, Section, yes_no
from app.practice.smarthr.fields import PREFECTURES_IN_ORDER

STATES = (("employed", "在籍中"), ("absent", "休職中"), ("retired", "退職済"))
NUMBER_ITEM = Item("emp_code", "社員番号")
NAMES = (
    Item("last_name", "姓", required=True),
    Item("first_name", "名", required=True),
    Item("last_name_yomi", "姓（ヨミガナ）", hint="全角カタカナ"),
    Item("first_name_yomi", "名（ヨミガナ）", hint="全角カタカナ"),
)
BIRTH = Item("birth_at", "生年月日", DATE)
GENDER = Item("gender", "戸籍上の性別", CHOICE, (("", "未入力"), ("male", "男性"), ("female", "女性")))
ENTERED = Item("entered_at", "入社年月日", DATE)
POSITION = Item("position", "役職")
_WIDOW = (("", "該当しない"), ("widow", "寡婦"), ("single_parent", "ひとり親"))
_HANDICAP = (("", "該当しない"), ("ordinary_handicapped", "普通障害者"), ("special_handicapped", "特別障害者"))
_ACCOUNT = (("", "未入力"), ("saving", "普通"), ("checking", "当座"), ("deposit", "貯蓄"))


def _address(name: str, label: str) -> tuple[Item, ...]:
    prefectures = (("", "未入力"), *((each, each) for each in PREFECTURES_IN_ORDER))
    return (
        Item(f"{name}.zip_code", f"{label}（郵便番号）"),
        Item(f"{name}.pref", f"{label}（都道府県）", CHOICE, prefectures),
        Item(f"{name}.city", f"{label}（市区町村）"),
        Item(f"{name}.street", f"{label}（丁目・番地）"),
        Item(f"{name}.building", f"{label}（建物名・部屋番号）"),
        Item(f"{name}.literal_yomi", f"{label}（ヨミガナ）", hint="全角カタカナ"),
        Item(f"{name}.country_number", f"{label}（国コード）", hint="日本は 392"),
    )


SECTIONS = (
    Section("基本情報", (NUMBER_ITEM, *NAMES, BIRTH, GENDER, Item("tel_number", "電話番号"))),
    Section(
        "入退社と役職",
        (
            Item("emp_status", "在籍状況", CHOICE, STATES),
            POSITION,
            ENTERED,
            Item("resigned_at", "退職年月日", DATE),
        ),
    ),
    Section("現住所", _address("address", "現住所")),
    Section("住民票住所", _address("resident_card_address", "住民票住所")),
    Section(
        "税に関する情報",
        (
            yes_no("having_spouse", "配偶者の有無", yes="あり", no="なし", empty=True),
            yes_no("working_student_flag", "勤労学生", yes="該当する", no="該当しない", empty=True),
            Item("widow_type", "寡婦・ひとり親", CHOICE, _WIDOW),
            Item("handicapped_type", "障害者区分", CHOICE, _HANDICAP),
        ),
    ),
    Section(
        "口座情報",
        (
            Item("bank_accounts.0.bank_code", "銀行コード", hint="4桁"),
            Item("bank_accounts.0.bank_branch_code", "支店コード", hint="3桁"),
            Item("bank_accounts.0.account_type", "預金種別", CHOICE, _ACCOUNT),
            Item("bank_accounts.0.account_number", "口座番号"),
            Item("bank_accounts.0.account_holder_name", "名義(カタカナ)"),
        ),
        note="1つ目の口座です。すべて空にすると、口座を外します。",
    ),
    Section(
        "社会保険・雇用保険",
        (
            Item("emp_ins_insured_person_number", "雇用保険の被保険者番号"),
            Item("basic_pension_number", "基礎年金番号"),
            Item("hel_ins_insured_person_number", "健康保険の被保険者整理番号", NUMBER),
            Item("soc_ins_insured_person_number", "厚生年金保険の被保険者整理番号", NUMBER),
            Item("monthly_standard_income_hel", "健康保険の標準報酬月額", NUMBER),
            Item("monthly_standard_income_pns", "厚生年金の標準報酬月額", NUMBER),
        ),
    ),
)
HIRING = (Section("入社する人", (NUMBER_ITEM, *NAMES, BIRTH, GENDER, ENTERED, POSITION)),)
