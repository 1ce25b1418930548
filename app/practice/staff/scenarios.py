"""The base people of the practice company: one entry per person, with the reason for being there and the outcome.

Outcomes suppose a first run (no person is linked yet) that offers all people, with the default settings and `today` as
reference date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from app.practice.staff.forms import Account, Place, Worker, crew_of, employee_of, stable_id
from app.practice.staff.people import days, first_of_month, moved, of_company, ordinary, phone
from app.practice.staff.tenants import Tenant

EQUAL, UPDATE, CREATE, NOT_OFFERED = "equal", "update", "create", "not_offered"
E1, E2 = "fail:E1", "fail:E2"
TWICE_OR_BLANK = "review:E8"
ASK_WHO = "review:link_ambiguous"
NO_COUNTERPART = "review:E16"
FIRST_EMPLOYEE_ID = 100_001
IDS_OF_A_COMPANY = 1_000_000
"""freee's ids of two companies are never the same."""


@dataclass(frozen=True)
class Scenario:
    """One person, and the outcomes that runs should have for this person.

    `to_freee` and `to_smarthr`: each on a fresh company ("" = the person is not at that source). `then_back`: freee →
    SmartHR after SmartHR → freee.
    """

    note: str
    number: str
    crew_id: str | None
    employee_id: int | None
    to_freee: str
    to_smarthr: str
    then_back: str


Tweak = Callable[[dict[str, Any]], None]


@dataclass
class Book:
    """Collects people; ids follow from the order in which they are added."""

    today: date
    tenant: Tenant
    crews: list[dict[str, Any]] = field(default_factory=list)
    employees: list[dict[str, Any]] = field(default_factory=list)
    scenarios: list[Scenario] = field(default_factory=list)

    def add(
        self,
        crew: Worker | None,
        employee: Worker | None,
        *,
        note: str,
        to_freee: str = "",
        to_smarthr: str = "",
        then_back: str | None = None,
        crew_tweak: Tweak | None = None,
        employee_tweak: Tweak | None = None,
        payroll: bool = True,
    ) -> None:
        """Add one person to SmartHR, freee or both. Without `then_back`: equal after an update, else `to_smarthr`."""
        place_in_line = len(self.scenarios)
        further = self.tenant.number - 1
        if crew_tweak is None and employee_tweak is None:  # a tweak may be about the very name
            crew, employee = (of_company(each, further) if each else None for each in (crew, employee))
        crew_id = employee_id = None
        if crew is not None:
            crew_id = stable_id(f"crew/{place_in_line}" if not further else f"crew/{further}/{place_in_line}")
            self.crews.append(_tweaked(crew_of(crew, crew_id), crew_tweak))
        if employee is not None:
            employee_id = FIRST_EMPLOYEE_ID + further * IDS_OF_A_COMPANY + place_in_line
            made = employee_of(employee, employee_id, company_id=self.tenant.company_id, payroll=payroll)
            self.employees.append(_tweaked(made, employee_tweak))
        if then_back is None:
            then_back = EQUAL if to_freee == UPDATE else to_smarthr
        number = (crew or employee or _NOBODY).number
        self.scenarios.append(Scenario(note, number, crew_id, employee_id, to_freee, to_smarthr, then_back))

    def same(self, worker: Worker, note: str, **more: Any) -> None:
        """Add a person to both systems with nothing to do in either direction."""
        self.add(worker, worker, note=note, to_freee=EQUAL, to_smarthr=EQUAL, **more)

    def differs(self, new: Worker, old: Worker, note: str, **more: Any) -> None:
        """Add a person to both systems: SmartHR holds `new`, freee `old`, and the run's source wins."""
        self.add(new, old, **{"note": note, "to_freee": UPDATE, "to_smarthr": UPDATE, **more})


def _tweaked(record: dict[str, Any], tweak: Tweak | None) -> dict[str, Any]:
    if tweak is not None:
        tweak(record)
    return record


_NOBODY = Worker("", "", "", "", "", None, None, None)


def base_scenarios(book: Book) -> None:
    """All base people, in a fixed order."""
    for index in range(1, 18):
        book.same(ordinary(index, book.today), "正社員、両方で同じ")
    for index in range(18, 23):
        book.same(ordinary(index, book.today, group="アルバイト"), "翌月払い、両方で同じ")
    for index in range(23, 25):
        book.same(ordinary(index, book.today, group="役員"), "20日締めの役員、両方で同じ")
    _equal_in_another_form(book)
    _changed_in_smarthr(book)
    _filled_on_one_side(book)
    _only_on_one_side(book)
    _past_and_future(book)
    _questions(book)


def _equal_in_another_form(book: Book) -> None:
    """People whose values are only written differently on the two sides: no run may touch them."""
    today = book.today
    plain = [ordinary(index, today) for index in range(25, 41)]
    book.same(plain[0], "SmartHRのヨミガナが半角", crew_tweak=_half_width_kana)
    book.same(replace(plain[1], number="00123"), "先頭にゼロのある社員番号")
    book.same(replace(plain[2], home=_SAPPORO, registered=_SAPPORO), "北海道（freeeの都道府県コード0）")
    flat = replace(_AZABU, building="ハイツあわせ 203号室")
    book.same(replace(plain[3], home=flat, registered=flat), "建物名のある住所")
    book.same(replace(plain[4], account=Account("9900", "018", "1234567", plain[4].account.holder)), "ゆうちょ銀行")  # type: ignore[union-attr]
    mobile = replace(plain[5], phone=("090", "0000", "4031"))
    book.same(mobile, "SmartHRの携帯番号にハイフンなし", crew_tweak=_set("tel_number", "09000004031"))
    landline = replace(plain[6], phone=("03", "9999", "4032"))  # only a number that could exist is split by area code
    book.same(landline, "SmartHRの固定電話にハイフンなし", crew_tweak=_set("tel_number", "0399994032"))
    book.same(plain[7], "freeeの整理番号に先頭のゼロ", employee_tweak=_zero_filled_reference)
    kyoka = replace(plain[8], account=Account("0005", "021", "2345678", "サトウ キョウカ"))
    book.same(kyoka, "freeeの口座名義が大きいカナ", employee_tweak=_big_kana_holder)
    book.same(replace(plain[9], widow="single_parent", spouse=False), "ひとり親")
    book.same(replace(plain[10], disability="ordinary_handicapped"), "障害者区分あり")
    student = replace(ordinary(36, today, group="アルバイト"), student=True)
    book.same(student, "勤労学生")
    book.same(plain[12], "SmartHRの郵便番号と年金番号にハイフンなし", crew_tweak=_without_hyphens)
    book.same(plain[13], "SmartHRの番地が全角", crew_tweak=_full_width_street)
    foreigner = replace(plain[14], last_name="グエン", first_name="リエン", last_kana="グエン", first_kana="リエン")
    book.same(foreigner, "姓名がカタカナ")
    book.same(replace(plain[15], resigned=days(today, 45)), "退職予定が両方に入っている")


def _changed_in_smarthr(book: Book) -> None:
    today = book.today
    old = [ordinary(index, today) for index in range(41, 56)]
    book.differs(moved(old[0], 60), old[0], "引越し")
    married = replace(old[1], spouse=False)
    book.differs(
        replace(married, last_name="大原", last_kana="オオハラ", spouse=True),
        married,
        "結婚で姓と配偶者の有無が変わった",
    )
    book.differs(replace(old[2], phone=phone(9043)), old[2], "電話番号が変わった")
    book.differs(
        replace(old[3], account=Account("0009", "218", "7654321", "ヤマシタ テスト")), old[3], "振込口座が変わった"
    )
    book.differs(replace(old[4], title="課長"), replace(old[4], title="主任"), "昇進した")
    book.differs(replace(old[5], employment_number="50991234560"), old[5], "雇用保険の番号の訂正")
    book.differs(replace(old[6], health_income=410_000, pension_income=410_000), old[6], "標準報酬月額の改定")
    birth = old[7].birth or today
    book.differs(replace(old[7], birth=birth + timedelta(days=1)), old[7], "生年月日の訂正")
    hired = old[8].hired or today
    book.differs(replace(old[8], hired=hired + timedelta(days=14)), old[8], "入社日の訂正")
    book.differs(replace(old[9], disability="special_handicapped"), old[9], "障害者区分の変更", to_smarthr=EQUAL)
    part_time = ordinary(51, today, group="アルバイト")
    book.differs(moved(part_time, 70), part_time, "翌月払いの人の引越し")
    book.differs(replace(old[11], registered=moved(old[11], 74).home), old[11], "住民票住所だけが変わった")
    book.differs(replace(old[12], health_number=9053), old[12], "健康保険の整理番号の訂正")
    book.differs(replace(old[13], gender=_other_gender(old[13])), old[13], "性別の訂正")


def _filled_on_one_side(book: Book) -> None:
    """People with a value on one side only: a blank does not erase, so only the run that brings it changes anything."""
    today = book.today
    full = [ordinary(index, today) for index in range(56, 63)]
    only_freee = {"to_freee": EQUAL, "to_smarthr": UPDATE, "then_back": UPDATE}
    book.differs(replace(full[0], phone=()), full[0], "電話番号はfreeeだけにある", **only_freee)
    book.differs(replace(full[1], account=None), full[1], "口座はfreeeだけにある", **only_freee)
    book.differs(replace(full[2], basic_pension=""), full[2], "基礎年金番号はfreeeだけにある", **only_freee)
    book.differs(full[3], replace(full[3], employment_number=""), "雇用保険番号はSmartHRだけにある", to_smarthr=EQUAL)
    book.differs(full[4], replace(full[4], account=None), "口座はSmartHRだけにある", to_smarthr=EQUAL)
    book.differs(full[5], replace(full[5], registered=None), "住民票住所はSmartHRだけにある", to_smarthr=EQUAL)


def _only_on_one_side(book: Book) -> None:
    today = book.today
    for index, months in ((63, 0), (64, 1), (65, 2)):
        new = replace(ordinary(index, today), hired=first_of_month(today, months))
        book.add(new, None, note="入社したばかりでSmartHRだけにいる", to_freee=CREATE, then_back=EQUAL)
    for index in (66, 67):
        there = ordinary(index, today)
        book.add(None, there, note="freeeだけにいる", to_smarthr=CREATE)
    unknown = replace(ordinary(68, today), gender=None)
    book.add(None, unknown, note="freeeだけにいて性別が未選択（SmartHRに作れない）", to_smarthr=NO_COUNTERPART)
    book.add(replace(ordinary(69, today), hired=None), None, note="入社年月日が空", to_freee=E1)
    book.add(replace(ordinary(70, today), birth=None), None, note="生年月日が空", to_freee=E2)


def _past_and_future(book: Book) -> None:
    """People outside the reference date: they left before it or join after it."""
    today = book.today
    left = replace(ordinary(71, today), resigned=days(today, -240), status="retired")
    book.add(left, left, note="昨年度の退職者", to_freee=NOT_OFFERED, to_smarthr=NOT_OFFERED)
    just_left = replace(ordinary(72, today), resigned=days(today, -1), status="retired")
    book.add(just_left, just_left, note="昨日の退職者", to_freee=NOT_OFFERED, to_smarthr=NOT_OFFERED)
    long_gone = replace(ordinary(73, today), resigned=days(today, -400), status="retired")
    book.add(None, long_gone, note="freeeだけにいる退職者", to_smarthr=NOT_OFFERED)
    soon = replace(ordinary(74, today), hired=days(today, 40))
    book.add(soon, None, note="これから入社する人", to_freee=NOT_OFFERED)
    both = replace(ordinary(75, today), hired=days(today, 62))
    book.add(both, both, note="これから入社する人（両方に登録済み）", to_freee=NOT_OFFERED, to_smarthr=NOT_OFFERED)


def _questions(book: Book) -> None:
    """Cases that no program should decide, because they need a person."""
    today = book.today
    first, second = ordinary(76, today), replace(ordinary(77, today), number="0076")
    book.add(first, first, note="社員番号が別の人と同じ", to_freee=TWICE_OR_BLANK, to_smarthr=TWICE_OR_BLANK)
    book.add(second, None, note="社員番号が別の人と同じ", to_freee=TWICE_OR_BLANK)
    book.add(replace(ordinary(78, today), number=""), None, note="社員番号が空", to_freee=TWICE_OR_BLANK)
    book.add(None, replace(ordinary(79, today), number=""), note="従業員番号が空", to_smarthr=TWICE_OR_BLANK)
    again = ordinary(80, today)
    book.add(replace(again, number="0980"), None, note="登録し直されて番号が変わった人", to_freee=ASK_WHO)
    book.add(None, again, note="登録し直されて番号が変わった人", to_smarthr=ASK_WHO)
    abroad = replace(ordinary(81, today), home=_SINGAPORE)
    book.add(
        abroad,
        replace(abroad, home=None),
        note="現住所が海外（freeeに入らない）",
        to_freee=NO_COUNTERPART,
        to_smarthr=NO_COUNTERPART,
    )
    widower = ordinary(82, today)
    book.add(
        widower,
        widower,
        note="freeeが廃止された寡夫の区分のまま",
        to_freee=NO_COUNTERPART,
        to_smarthr=NO_COUNTERPART,
        employee_tweak=_old_widower,
    )
    outside = replace(ordinary(83, today, group="役員"), employment_number="")
    book.add(outside, outside, note="給与計算対象外", to_freee=EQUAL, to_smarthr=EQUAL, payroll=False)


# ── single values that are written in another form ────────────────────────────────────────────────────────────────

_SAPPORO = Place(
    "0600042", 0, "北海道", "札幌市中央区", "大通西9-9-9", "ホッカイドウ", "サッポロシチュウオウクオオドオリニシ"
)
_AZABU = Place("1060041", 12, "東京都", "港区", "麻布台9-9-8", "トウキョウト", "ミナトクアザブダイ")
_SINGAPORE = Place("000000", -1, "", "Singapore", "9 Example Road", "", "", country="702")


def _set(name: str, value: Any) -> Tweak:
    def tweak(record: dict[str, Any]) -> None:
        record[name] = value

    return tweak


def _half_width_kana(crew: dict[str, Any]) -> None:
    """Write the last name's reading in half-width kana.

    ordinary(25) is 井上 by the list; the reading is written out by hand to keep this free of conversions.
    """
    crew["last_name_yomi"] = _HALF_WIDTH[crew["last_name_yomi"]]


_HALF_WIDTH = {"イノウエ": "ｲﾉｳｴ", "アベ": "ｱﾍﾞ", "サトウ": "ｻﾄｳ", "イトウ": "ｲﾄｳ", "サイトウ": "ｻｲﾄｳ", "ヨシダ": "ﾖｼﾀﾞ"}


def _zero_filled_reference(employee: dict[str, Any]) -> None:
    for name in ("health_insurance_rule", "welfare_pension_insurance_rule"):
        employee[name]["reference_num"] = employee[name]["reference_num"].zfill(7)


def _big_kana_holder(employee: dict[str, Any]) -> None:
    employee["bank_account_rule"]["account_name"] = "サトウ キヨウカ"


def _without_hyphens(crew: dict[str, Any]) -> None:
    crew["address"]["zip_code"] = crew["address"]["zip_code"].replace("-", "")
    crew["basic_pension_number"] = crew["basic_pension_number"].replace("-", "")


def _full_width_street(crew: dict[str, Any]) -> None:
    crew["address"]["street"] = crew["address"]["street"].translate(
        str.maketrans("0123456789-", "０１２３４５６７８９－")
    )


def _old_widower(employee: dict[str, Any]) -> None:
    employee["profile_rule"]["widow_type"] = "widower"


def _other_gender(worker: Worker) -> str:
    return "male" if worker.gender == "female" else "female"
