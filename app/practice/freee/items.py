"""The items of an employee on freee人事労務's screens, in freee's words and with the labels of its messages."""

from __future__ import annotations

from collections.abc import Iterable

from app.practice.freee import fields as fields
from app.practice.freee.checks import BOOLEAN, INTEGER, Field
from app.practice.freee.checks import DATE as DATE_FIELD
from app.practice.freee.rules import BANK, BASIC_PAY, HEALTH, PENSION, PROFILE, House, RuleKind
from app.practice.pages.items import CHOICE, DATE, NUMBER, TEXT, Item, Section, yes_no

QUIET = "この欄の変更は、freee の仕様により Webhook で知らされません。"
_KINDS = {INTEGER: NUMBER, DATE_FIELD: DATE}
_PREFECTURES = (
    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県 新潟県 富山県"
    " 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県"
    " 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県"
)
_PREFECTURE = (("-1", "未設定"), *((str(code), name) for code, name in enumerate(_PREFECTURES.split())))
_WORDS = {
    "unselected": "未選択", "male": "男性", "female": "女性", "na": "該当しない", "widower": "寡夫", "widow": "寡婦",
    "special_widow": "特別の寡婦", "one_parent": "ひとり親", "general": "一般の障害者", "heavy": "特別障害者",
    "ordinary": "普通", "current": "当座", "saving": "貯蓄", "monthly": "月給", "daily": "日給", "hourly": "時給",
}  # fmt: skip
_YES_NO = {"married": ("あり", "なし"), "is_working_student": ("該当する", "該当しない")}

NUM = Item("num", fields.NUM.label)
_UPDATE = {each.name: each for each in fields.UPDATE}
_PROFILE_NAMES = ("last_name", "first_name", "last_name_kana", "first_name_kana")
_PLACE = ("zipcode1", "zipcode2", "prefecture_code", "address", "address_kana")
_INSURED = ("reference_num", "standard_monthly_remuneration")
_PHONE, _TAX = (
    ("phone1", "phone2", "phone3"),
    ("married", "is_working_student", "widow_type", "disability_type"),
)


def item_of(field: Field, *, path: str = "", label: str = "") -> Item:
    """The screen's item of one field of the API. `path`: the object in which it stands, with its dot."""
    name, read = f"{path}{field.name}", label or field.label
    if field.kind == BOOLEAN:
        yes, no = _YES_NO[field.name]
        return yes_no(name, read, yes=yes, no=no)
    choices = _PREFECTURE if field.name.endswith("prefecture_code") else _choices(field.choices)
    kind = CHOICE if field.choices else _KINDS.get(field.kind, TEXT)
    hint = f"{field.digits}桁の半角数字" if field.digits else "全角カタカナ" if field.kana else ""
    return Item(name, read, kind, choices, required=field.required, hint=hint)


def sections_of(house: House, *, in_payroll: bool = True) -> tuple[Section, ...]:
    """The items of a person; of one outside payroll freee keeps only those that exist once."""
    dates = (item_of(_UPDATE[name]) for name in ("birth_date", "entry_date", "retire_date"))
    base = (NUM, *dates, item_of(_UPDATE["base_pension_num"]))
    if not in_payroll:
        return (Section("基本情報", (item_of(_UPDATE["display_name"]), *base)),)
    own = item_of(_UPDATE["employment_insurance_reference_number"])
    return (
        Section("基本情報", (*base, own)),
        Section("本人情報", tuple(_of(PROFILE, (*_PROFILE_NAMES, "gender", "title", *_PHONE)))),
        Section("現住所", tuple(_of(PROFILE, [f"residential_{name}" for name in _PLACE]))),
        Section("住民票住所", tuple(_of(PROFILE, _PLACE))),
        Section("税に関する情報", tuple(_of(PROFILE, _TAX))),
        Section("健康保険", tuple(_of(HEALTH, _INSURED, "健康保険の")), QUIET),
        Section("厚生年金保険", tuple(_of(PENSION, _INSURED, "厚生年金保険の")), QUIET),
        Section(
            "口座情報",
            tuple(_of(BANK, ("bank_code", "branch_code", "account_type", "account_number", "account_name"))),
            QUIET,
        ),
        Section("給与", (group_item(house), *_of(BASIC_PAY, ("pay_calc_type", "pay_amount"))), QUIET),
    )


def hiring(house: House) -> tuple[Section, ...]:
    """What freee's create takes."""
    person = (fields.NUM, *fields.NAMES, *fields.DATES, fields.GENDER, fields.MARRIED)
    hours = Item(fields.WORKING_HOURS.name, fields.WORKING_HOURS.label, CHOICE, _same(house.working_hours))
    pay = (item_of(fields.PAY_TYPE), item_of(fields.PAY_AMOUNT), hours, group_item(house))
    return (
        Section("入社する人", tuple(item_of(each) for each in person)),
        Section("給与", pay),
    )


def group_item(house: House) -> Item:
    return Item(fields.GROUP.name, fields.GROUP.label, CHOICE, _same(house.groups))


def _of(kind: RuleKind, names: Iterable[str], before: str = "") -> Iterable[Item]:
    known = {each.name: each for each in kind.fields}
    for name in names:
        yield item_of(known[name], path=f"{kind.name}.", label=before + known[name].label if before else "")


def _choices(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((word, _WORDS.get(word, word)) for word in words)


def _same(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)
