"""Generated people in both vendors' shapes, nasty values included, and what a vendor does with what we write."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from app.domain.enums import Step, System
from tests.domain.records import CREW, EMPLOYEE

Record = dict[str, Any]


def usually(*good: Any, nasty: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """One of the good values most of the time, otherwise one of the nasty ones."""
    return st.sampled_from((*good, *good, *good, *nasty))


NAMES = usually("佐藤", "佐 藤", "髙橋", "ＳＭＩＴＨ", "﨑", nasty=("あ" * 256,))
KANA = usually("サトウ", "ｻﾄｳ", "さとう", "ジョン　スミス", "ﾀﾞｲｽｹ", "ヴァ", nasty=("佐藤", "Smith", ""))
DAYS = usually("1990-04-02", "2000-02-29", "1948-12-31", nasty=(None,))
NUMBERS = usually("00123", "０００９", "A-1", " 7 ", nasty=(None, ""))
TITLES = usually("課長", "部長", "課 長", "ﾘｰﾀﾞｰ", nasty=(None, "", "あ" * 256))
POSITION_MASTER = {"課長": 30, "部長": 10, "リーダー": 50, "主任": 40}

CREW_PREFECTURES = usually("北海道", "東京都", "大阪府", "沖縄県", "京都", nasty=(None, "", "Hokkaido"))
CITIES = usually(
    "札幌市中央区", "千代田区", "港区", "大阪市北区", "那覇市",
    nasty=("架空市", "浜松市中区", "東京都港区", "北海道札幌市中央区", "Minato-ku", "港区麻布台"),
)  # fmt: skip
STREETS = usually(
    "北一条西2丁目", "１－２－３", "1丁目2番地3号", "麻布台1-2-3", nasty=(None, "", "x" * 260, "Azabu 1-1")
)
BUILDINGS = usually(None, "", "麻布ハイツ101", "２０１", "コーポ・ひかり 3号室")
ADDRESS_KANA = usually(
    "トウキョウトミナトクアザブダイ", "ミナトク１－２", "ﾐﾅﾄｸ", "ほっかいどうさっぽろし",
    nasty=(None, "", "港区", "ﾄｳｷﾖｳﾄﾐﾅﾄｸ１ー２", "トウキョウト", "オオサカフ　オオサカシ"),
)  # fmt: skip
COUNTRIES = usually("392", "", None, nasty=("840",))
ZIP_CODES = usually("060-0001", "1060041", "１０６－００４１", "〒106-0041", nasty=(None, "", "123", "abc-defg"))
PHONES = usually(
    "090-1234-5678", "09012345678", "0312345678", "０３（１２３４）５６７８", "+81 3 1234 5678",
    nasty=(None, "", "+1 202 555 0100", "12", "内線5"),
)  # fmt: skip

BANK_CODES = usually("0001", "1", "9900", "００３３", nasty=(None, "", "12345"))
ACCOUNT_NUMBERS = usually("0012345", "12345", "１２３４５６７", "12345671", nasty=(None, "", "12-34", "ABC"))
HOLDERS = usually("サトウ ハナコ", "ｻﾄｳ ﾊﾅｺ", "カ）アワセ", "シヨウジ", nasty=(None, "", "佐藤花子", "ア" * 51))
EMPLOYMENT_NUMBERS = usually("1234-567890-1", "12345678901", "１２３４－５６７８９０－１", nasty=(None, "", "123"))
PENSION_NUMBERS = usually("0123-456789", "0123456789", nasty=(None, "", "A123456789"))
INCOMES = usually(300000, 98000, nasty=(None, 0))


def objects(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Record]:
    return st.fixed_dictionaries(parts)


CREW_ADDRESS = st.none() | objects(
    country_number=COUNTRIES,
    zip_code=ZIP_CODES,
    pref=CREW_PREFECTURES,
    city=CITIES,
    street=STREETS,
    building=BUILDINGS,
    literal_yomi=ADDRESS_KANA,
)
CREW_ACCOUNT = objects(
    bank_code=BANK_CODES,
    bank_branch_code=usually("011", "1", "０１１", nasty=(None,)),
    account_type=usually("saving", "checking", "deposit", nasty=(None, "new_type")),
    account_number=ACCOUNT_NUMBERS,
    account_holder_name=HOLDERS,
    transfer_type=st.sampled_from(["full", "remaining", None]),
    transfer_category=st.sampled_from(["salary_and_bonus", "salary", "bonus", None]),
)


def _position(name: str) -> Record:
    """SmartHR answers a name with the entry of its master, a new one without rank."""
    return {"id": name, "name": name, "rank": POSITION_MASTER.get(name)}


# One name in any slot: beside others, a written title ends up where its rank in the master puts it.
POSITIONS = st.tuples(st.sampled_from([None, *sorted(POSITION_MASTER)]), st.booleans()).map(
    lambda drawn: [*([None] if drawn[1] else []), *([_position(drawn[0])] if drawn[0] else [])]
)

CREWS = objects(
    emp_code=NUMBERS,
    emp_status=st.sampled_from(["employed", "absent", "retired"]),
    last_name=NAMES,
    first_name=NAMES,
    last_name_yomi=KANA,
    first_name_yomi=KANA,
    birth_at=DAYS,
    gender=usually("male", "female", nasty=(None, "x")),
    tel_number=PHONES,
    entered_at=usually("2015-04-01", "2024-04-01", nasty=(None,)),
    resigned_at=usually(None, "2024-03-31", "2030-12-31", nasty=("2001-01-01",)),
    having_spouse=st.sampled_from([True, False, None]),
    working_student_flag=st.sampled_from([True, False, None]),
    widow_type=st.sampled_from(["widow", "single_parent", None, "new_type"]),
    handicapped_type=st.sampled_from(["ordinary_handicapped", "special_handicapped", None]),
    address=CREW_ADDRESS,
    resident_card_address=CREW_ADDRESS,
    positions=POSITIONS,
    bank_accounts=st.lists(CREW_ACCOUNT, max_size=2),
    emp_ins_insured_person_number=EMPLOYMENT_NUMBERS,
    basic_pension_number=PENSION_NUMBERS,
    hel_ins_insured_person_number=usually(7, 0, 123, nasty=(None,)),
    soc_ins_insured_person_number=usually(7, 12, nasty=(None,)),
    monthly_standard_income_hel=INCOMES,
    monthly_standard_income_pns=INCOMES,
).map(lambda parts: {**deepcopy(CREW), **parts, "position": None})

PARTS_OF_PHONE = usually(("090", "1234", "5678"), ("03", "1234", "5678"), nasty=((None, None, None), ("", "", "")))
ZIP_PARTS = usually(("060", "0001"), ("106", "0041"), nasty=((None, None), ("", ""), ("1", "2")))
FREEE_ADDRESS = usually(
    "札幌市中央区北一条西2丁目", "港区麻布台１丁目２番３号　麻布ハイツ１０１", "千代田区1-2-3", "東京都港区麻布台1-2-3",
    "大阪市北区梅田1",
    nasty=(
        None, "", "架空村1-1", "x" * 255, "東京都", "大阪府大阪市北区梅田1", "浜松市中区元城町103-3",
        "Minato-ku Azabu 1-2", "港区麻布台1-2-3 麻布ハイツ102", "港区麻布台1-2-4-201",
        "札幌市中央区北1条西2丁目コーポ・ひかり 4号室",
    ),
)  # fmt: skip
PREFECTURE_CODES = usually(0, 12, 26, 46, nasty=(None, -1, 47))
PROFILES = objects(
    last_name=NAMES.map(lambda name: name[:255]),
    first_name=NAMES.map(lambda name: name[:255]),
    last_name_kana=KANA,
    first_name_kana=KANA,
    zips=st.tuples(ZIP_PARTS, ZIP_PARTS),
    phones=PARTS_OF_PHONE,
    prefecture_code=PREFECTURE_CODES,
    residential_prefecture_code=PREFECTURE_CODES,
    address=FREEE_ADDRESS,
    residential_address=FREEE_ADDRESS,
    address_kana=ADDRESS_KANA,
    residential_address_kana=ADDRESS_KANA,
    title=TITLES.map(lambda title: title and title[:255]),
    gender=usually("male", "female", nasty=("unselected",)),
    married=st.booleans(),
    is_working_student=st.booleans(),
    widow_type=st.sampled_from(["na", "widow", "one_parent", "widower", "special_widow"]),
    disability_type=st.sampled_from(["na", "general", "heavy"]),
)


def _profile(parts: Record | None) -> Record | None:
    if parts is None:
        return None
    (zip1, zip2), (home1, home2) = parts.pop("zips")
    phone1, phone2, phone3 = parts.pop("phones")
    split = {"zipcode1": zip1, "zipcode2": zip2, "residential_zipcode1": home1, "residential_zipcode2": home2}
    return {**parts, **split, "phone1": phone1, "phone2": phone2, "phone3": phone3}


INSURANCES = st.none() | objects(
    entried=st.booleans(),
    reference_num=usually("7", "007", "０１２", nasty=(None, "", "7-A")),
    standard_monthly_remuneration=INCOMES,
)
EMPLOYEES = objects(
    num=NUMBERS.map(lambda number: number or ""),
    birth_date=usually("1990-04-02", "2000-02-29"),
    entry_date=usually("2015-04-01", "2024-04-01"),
    retire_date=usually(None, "2024-03-31", "2030-12-31"),
    base_pension_num=usually("0123456789", nasty=(None, "")),
    employment_insurance_reference_number=usually("12345678901", nasty=("", None)),
    profile_rule=PROFILES.map(_profile),
    health_insurance_rule=INSURANCES,
    welfare_pension_insurance_rule=INSURANCES,
    bank_account_rule=st.none()
    | objects(
        bank_code=BANK_CODES,
        branch_code=usually("011", nasty=(None, "")),
        account_type=usually("ordinary", "current", "saving", nasty=(None,)),
        account_number=usually("0012345", "1234567", nasty=(None, "")),
        account_name=HOLDERS,
    ),
).map(lambda parts: {**deepcopy(EMPLOYEE), **parts})


# ── the vendors' side of a write ──


def written(target: System, record: Record, steps: Mapping[Step, Mapping[str, Any]]) -> Record:
    """The record after the vendor took all steps: dotted paths in freee, top-level names in SmartHR."""
    after = deepcopy(record)
    for body in steps.values():
        for path, value in deepcopy(dict(body)).items():
            if target is System.FREEE:
                _put(after, path, value)
            else:
                after[path] = [_position(name) for name in value] if path == "positions" else value
    return after


def _put(record: Record, path: str, value: Any) -> None:
    """freee refuses a null nearly everywhere."""
    *way, last = path.split(".")
    if value is None and path != "retire_date":
        raise AssertionError(f"null for {path}")
    node = record
    for name in way:
        if node.get(name) is None:
            node[name] = {}
        node = node[name]
    node[last] = value
