"""The practice products' own pages, as a person clicks through them: both vendors, every form, every refusal."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.freee.simulator import PracticeFreee
from app.practice.smarthr.practice_smarthr import create_smarthr, smarthr_of
from app.practice.smarthr.several import create_tenants
from app.practice.smarthr.simulator import PracticeSmartHR
from app.practice.staff.practice_company import build_company, japan_today
from app.practice.staff.tenants import tenants
from app.practice.vendor_kit.fault_injection import injector_of
from tests.practice.webhook_receiver import Receiver
from tests.web.visitor import Visitor

HERE = "http://localhost"
TODAY = japan_today()
SMARTHR_ITEMS = (
    "姓 名 姓（ヨミガナ） 名（ヨミガナ） 生年月日 戸籍上の性別 社員番号 役職 入社年月日 退職年月日 配偶者の有無"
    " 勤労学生 寡婦・ひとり親 障害者区分 現住所（郵便番号） 現住所（都道府県） 現住所（市区町村）"
    " 現住所（丁目・番地） 現住所（ヨミガナ） 住民票住所（郵便番号） 住民票住所（都道府県）"
    " 住民票住所（市区町村） 住民票住所（丁目・番地） 住民票住所（ヨミガナ） 電話番号 銀行コード 支店コード"
    " 預金種別 口座番号 名義(カタカナ) 雇用保険の被保険者番号 基礎年金番号 健康保険の被保険者整理番号"
    " 厚生年金保険の被保険者整理番号 健康保険の標準報酬月額 厚生年金の標準報酬月額"
)
FREEE_ITEMS = (
    "姓 名 姓カナ 名カナ 生年月日 性別 従業員番号 肩書 入社日 退職日 配偶者の有無 勤労学生 寡夫/寡婦 障害"
    " 現住所の郵便番号1 現住所の郵便番号2 現住所の都道府県コード 現住所の市区町村以降の住所"
    " 現住所の市区町村以降の住所カナ 住民票住所の郵便番号1 住民票住所の郵便番号2 住民票住所の都道府県コード"
    " 住民票住所の市区町村以降の住所 住民票住所の市区町村以降の住所カナ 電話番号1 電話番号2 電話番号3"
    " 金融機関コード 支店コード 預金種類 口座番号 口座名義カナ 雇用保険の被保険者番号 基礎年金番号"
    " 健康保険の被保険者整理番号 厚生年金保険の被保険者整理番号 健康保険の標準報酬月額 厚生年金保険の標準報酬月額"
)


@dataclass
class AtScreen:
    """Somebody before one vendor's pages."""

    app: Flask
    page: Visitor
    receiver: Receiver
    ids_of: Callable[[str], list[Any]]
    """社員番号 → ids"""

    def id(self, number: str) -> str:
        return str(self.ids_of(number)[0])

    def open(self, path: str, *, status: int = 200) -> str:
        self.page.open(f"/_practice/{path}", status=status)
        return self.page.words

    def send(self, action: str | None = None, **typed: Any) -> str:
        """Fill in the form on the page, whose fields may have dots in their names: `__` stands for one."""
        self.page.send(action, **{name.replace("__", "."): value for name, value in typed.items()})
        return self.page.words

    def posted(self, path: str, headers: dict[str, str] | None = None, **data: Any) -> int:
        answer = self.page.client.post(f"/_practice/{path}", data=data, headers=headers)
        return int(answer.status_code)

    def imported(self, text: str, encoding: str = "utf-8") -> str:
        content = io.BytesIO(text.encode(encoding))
        data = {"file": (content, "people.csv")}
        self.page.page = self.page.client.post("/_practice/people/import", data=data)
        return self.page.words

    def events(self) -> list[tuple[str, str]]:
        """(event, person) of the webhooks since the last call."""
        assert self.app.extensions["webhooks"].wait_idle(10)
        with self.receiver.lock:
            came = [each.body for each in self.receiver.received]
            self.receiver.received.clear()
        return [_event(each) for each in came]


def _event(body: dict[str, Any]) -> tuple[str, str]:
    if "employee" in body:
        return str(body["action"]), str(body["employee"]["id"])
    return str(body["event"]), str(body.get("crew", {}).get("id", ""))


def browser(app: Flask) -> Visitor:
    """A browser, which names the origin of the forms that it sends."""
    client = app.test_client()
    client.environ_base["HTTP_ORIGIN"] = HERE
    return Visitor(client)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def smarthr(receiver: Receiver) -> Iterator[AtScreen]:
    app = create_smarthr(build_company(TODAY))
    made = smarthr_of(app)
    with made.state.lock:
        made.state.add_master(
            made.state.webhooks,
            {"url": receiver.url, "crew_created": True, "crew_updated": True, "crew_deleted": True}
            | {"crew_imported": True, "disabled_at": None},
        )
    yield AtScreen(app, browser(app), receiver, made.ids_by_number)
    made.webhooks.stop()


@pytest.fixture
def freee(receiver: Receiver) -> Iterator[AtScreen]:
    app = create_freee(build_company(TODAY), webhook_url=receiver.url)
    made = freee_of(app)
    yield AtScreen(app, browser(app), receiver, made.ids_by_num)
    made.webhooks.stop()


@pytest.fixture(params=["smarthr", "freee"])
def either(request: pytest.FixtureRequest) -> AtScreen:
    made: AtScreen = request.getfixturevalue(request.param)
    return made


def tenant(screen: AtScreen) -> PracticeSmartHR:
    return smarthr_of(screen.app)


def company(screen: AtScreen) -> PracticeFreee:
    return freee_of(screen.app)


# ── both ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["people", "people/new", "people/import", "keys", "people/{id}", "people/{id}/edit"])
def test_every_page_says_that_it_is_a_rehearsal(either: AtScreen, path: str) -> None:
    assert "練習用の会社です" in either.open(path.format(id=either.id("0001")))


def test_the_list_is_searched_by_number_name_and_reading(either: AtScreen) -> None:
    assert "0005" in either.open("people?q=０００５") and "0006" not in either.page.words
    found = either.open("people?q=ｻﾄｳ")  # half width, as it is typed
    assert "サトウ" in found and "スズキ" not in found
    assert "条件に合う人はいません" in either.open("people?q=nobody")
    assert "0071" in either.open("people?who=gone") and "0001" not in either.page.words
    assert "0075" in either.open("people?who=here&q=007")
    assert "0071" not in either.page.words


def test_the_list_has_pages(either: AtScreen) -> None:
    first, second = either.open("people"), either.open("people?page=2")
    assert "1 / 2" in first and "2 / 2" in second
    assert "0001" in first and "0001" not in second


def test_nobody_with_this_id_has_a_page(either: AtScreen) -> None:
    for path in ("people/0", "people/nobody", "people/nobody/edit", "people/99999999999999"):
        assert "この人はいません" in either.open(path, status=404)


def test_a_form_of_another_address_is_refused(either: AtScreen) -> None:
    who = either.id("0001")
    for headers in ({"Origin": "http://localhost:81"}, {"Origin": "null"}, {"Origin": "https://localhost"}):
        assert either.posted(f"people/{who}/remove", headers=headers) == 403
    del either.page.client.environ_base["HTTP_ORIGIN"]
    assert either.posted(f"people/{who}/remove") == 403
    assert either.ids_of("0001")


def test_the_pages_are_for_this_machine_only(either: AtScreen) -> None:
    answer = either.page.client.get("/_practice/people", headers={"X-Forwarded-For": "192.0.2.1"})
    assert answer.status_code == 403
    assert either.page.client.get("/_practice/people", headers={"Host": "practice.example"}).status_code == 403


def test_a_browser_may_load_nothing_else(either: AtScreen) -> None:
    either.open("people")
    assert either.page.page is not None
    policy = either.page.page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "form-action 'self'" in policy and "'unsafe" not in policy


def test_a_person_is_removed_only_after_a_question(either: AtScreen) -> None:
    who = either.id("0002")
    assert "削除しますか" in either.open(f"people/{who}/remove")
    assert either.ids_of("0002") and either.events() == []
    assert "削除しました" in either.send()
    assert not either.ids_of("0002")
    assert either.events() in ([("crew_deleted", who)], [("destroyed", who)])


def test_everybody_as_a_file_can_be_imported_again(either: AtScreen) -> None:
    either.open("people.csv")
    before = injector_of(either.app).dump()
    assert "登録 0 人" in either.imported(either.page.text.removeprefix("\ufeff"), "cp932")
    after = injector_of(either.app).dump()
    for people in ("crews", "employees"):
        assert [_lasting(each) for each in after.get(people, [])] == [_lasting(each) for each in before.get(people, [])]


def _lasting(person: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in person.items() if name != "updated_at"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "見出しの行"),
        ("{number},髪の色\n0001,黒\n", "「髪の色」という列はありません"),
        ("{title}\n部長\n", "「{number}」の列が必要です"),
        ("{number},{title}\n,部長\n", "1人目: {number}を入力してください"),
        ('{number}\n"0001\n', "CSV ファイルとして読めません"),
    ],
)
def test_a_file_that_makes_no_sense_imports_nobody(either: AtScreen, text: str, told: str) -> None:
    words = {"number": "社員番号", "title": "役職"} if "smarthr" in either.app.extensions else {}
    words = words or {"number": "従業員番号", "title": "肩書"}
    assert told.format(**words) in either.imported(text.format(**words))
    assert either.events() == []


def test_a_file_that_is_no_text_is_refused(either: AtScreen) -> None:
    data = {"file": (io.BytesIO(b"\xff\xfe\x00\x81"), "picture.png")}
    answer = either.page.client.post("/_practice/people/import", data=data)
    assert answer.status_code == 422 and "CSV ファイルとして読めません" in answer.text


# ── SmartHR ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_smarthr_shows_every_item_in_its_own_words(smarthr: AtScreen) -> None:
    shown = smarthr.open(f"people/{smarthr.id('0001')}")
    assert [label for label in SMARTHR_ITEMS.split() if label not in shown] == []


def test_an_edit_at_smarthr_is_kept_and_told(smarthr: AtScreen) -> None:
    who = smarthr.id("0001")
    before = tenant(smarthr).crew(who)
    smarthr.open(f"people/{who}/edit")
    told = smarthr.send(position="部長", address__city="新宿区", bank_accounts__0__account_number="7654321")
    assert "保存しました" in told and "7654321" in told
    after = tenant(smarthr).crew(who)
    assert after["position"] == "部長" and after["address"] == {**before["address"], "city": "新宿区"}
    assert after["bank_accounts"][0] == {**before["bank_accounts"][0], "account_number": "7654321"}
    assert smarthr.events() == [("crew_updated", who)]
    smarthr.open(f"people/{who}/edit")
    assert "変更はありませんでした" in smarthr.send()
    assert smarthr.events() == []


def test_an_address_and_an_account_can_be_taken_out_as_a_whole(smarthr: AtScreen) -> None:
    who = smarthr.id("0001")
    smarthr.open(f"people/{who}/edit")
    parts = [name for name, _ in smarthr.page.form().fields if name.startswith(("resident_card", "bank_accounts"))]
    smarthr.send(**dict.fromkeys(parts, ""))
    after = tenant(smarthr).crew(who)
    assert after["resident_card_address"] is None and after["bank_accounts"] == []
    smarthr.open(f"people/{who}/edit")
    smarthr.send(resident_card_address__pref="東京都", resident_card_address__city="港区")
    assert tenant(smarthr).crew(who)["resident_card_address"]["country_number"] == "392"


def test_smarthr_refuses_on_the_form_what_its_api_refuses(smarthr: AtScreen) -> None:
    who = smarthr.id("0001")
    smarthr.open(f"people/{who}/edit")
    told = smarthr.send(
        last_name="",
        last_name_yomi="さとう",
        tel_number="番号なし",
        address__zip_code="1",
        hel_ins_insured_person_number="七",
    )
    for message in (
        "姓を入力してください。",
        "姓（ヨミガナ）は全角カタカナで入力してください。",
        "電話番号は正しい形式で入力してください。",
        "健康保険の被保険者整理番号は正しい形式で入力してください。",
        "（郵便番号）は正しい形式で入力してください。",
    ):
        assert message in told
    assert 'id="i-address-zip_code-fault"' in smarthr.page.text
    assert 'value="番号なし"' in smarthr.page.text  # what was typed is not lost
    assert tenant(smarthr).crew(who)["tel_number"] != "番号なし" and smarthr.events() == []
    assert "保存しました" in smarthr.send(
        last_name="大原", last_name_yomi="オオハラ", tel_number="03-0000-0001", address__zip_code="1000001",
        hel_ins_insured_person_number="7",
    )  # fmt: skip
    assert tenant(smarthr).crew(who)["hel_ins_insured_person_number"] == 7


def test_a_form_opened_before_another_change_takes_nothing_back(smarthr: AtScreen) -> None:
    who = smarthr.id("0001")
    smarthr.open(f"people/{who}/edit")
    tenant(smarthr).edit(who, {"tel_number": "090-0000-9999"})
    smarthr.send(position="部長")
    after = tenant(smarthr).crew(who)
    assert (after["position"], after["tel_number"]) == ("部長", "090-0000-9999")


def test_somebody_joins_at_smarthr(smarthr: AtScreen) -> None:
    smarthr.open("people/new")
    told = smarthr.send(emp_code="9001", last_name="架空", last_name_yomi="かくう")
    assert "名を入力してください。" in told and "全角カタカナ" in told
    assert not smarthr.ids_of("9001")
    assert "登録しました" in smarthr.send(first_name="花", last_name_yomi="カクウ", gender="female")
    who = smarthr.id("9001")
    assert tenant(smarthr).crew(who)["emp_status"] == "employed"
    assert smarthr.events() == [("crew_created", who)]


def test_nobody_joins_beyond_the_plan(smarthr: AtScreen) -> None:
    injector_of(smarthr.app).set_switch("plan_limit", True)
    smarthr.open("people/new")
    assert "プランの上限" in smarthr.send(last_name="架空", first_name="花")


def test_somebody_leaves_smarthr(smarthr: AtScreen) -> None:
    past, future = smarthr.id("0003"), smarthr.id("0004")
    smarthr.open(f"people/{past}/leave")
    assert "退職年月日を入力してください" in smarthr.send(day="")
    assert "退職済" in smarthr.send(day="2024-03-31")
    assert smarthr.events() == [("crew_updated", past)]
    smarthr.open(f"people/{future}/leave")
    assert "在籍中" in smarthr.send(day="2099-03-31")
    assert tenant(smarthr).crew(future)["resigned_at"] == "2099-03-31"
    assert smarthr.events() == [("crew_updated", future)]


def test_a_file_at_smarthr_is_told_once_as_an_import(smarthr: AtScreen) -> None:
    told = smarthr.imported("社員番号,姓,名,役職\n0001,,,部長\n9001,架空,花,\n")
    assert "登録 1 人、更新 1 人" in told
    assert tenant(smarthr).crew("0001")["position"] == "部長" and tenant(smarthr).crew("9001")["last_name"] == "架空"
    assert smarthr.events() == [("crew_imported", "")]


def test_one_wrong_row_at_smarthr_stops_the_file(smarthr: AtScreen) -> None:
    told = smarthr.imported("社員番号,電話番号,姓\n0001,03-0000-0000,\n9001,なし,架空\n0076,,新\n")
    assert "1人も取り込んでいません" in told and "2人目: 電話番号は正しい形式" in told and "2人目: 名を入力" in told
    assert "3人目: 社員番号「0076」の人が2人います" in told
    assert tenant(smarthr).crew("0001")["tel_number"] != "03-0000-0000" and smarthr.events() == []


def test_the_sample_files_mix_the_accounts_up_and_mend_them(smarthr: AtScreen) -> None:
    before = {each["id"]: each["bank_accounts"] for each in tenant(smarthr).crews}
    smarthr.open("people/import")
    assert "更新 12 人" in smarthr.send("mixed-up")
    mixed = {each["id"]: each["bank_accounts"] for each in tenant(smarthr).crews}
    assert sum(mixed[who] != before[who] for who in before) == 12
    smarthr.open("people/import")
    assert "更新 12 人" in smarthr.send("right")
    assert {each["id"]: each["bank_accounts"] for each in tenant(smarthr).crews} == before
    assert "口座番号" in smarthr.open("people/import/mixed-up.csv")


def test_the_token_stands_on_smarthrs_own_page(smarthr: AtScreen) -> None:
    told = smarthr.open("keys")
    assert tenants(1)[0].smarthr_token in told and tenants(1)[0].subdomain in told


def test_each_company_has_its_own_pages() -> None:
    wsgi, apps = create_tenants([build_company(TODAY, tenant=each) for each in tenants(2)])
    first, second = (smarthr_of(app).ids_by_number("0001")[0] for app in apps)
    outside = Flask("outside")
    outside.wsgi_app = wsgi  # type: ignore[method-assign]
    page = browser(outside)
    page.open("/_practice/people?company=awase-renshu-2")
    assert "練習商事第2株式会社" in page.words and f"/_practice/people/{second}?company=awase-renshu-2" in page.text
    page.open(f"/_practice/people/{first}?company=awase-renshu-2", status=404)
    page.open(f"/_practice/people/{second}/edit?company=awase-renshu-2")
    page.page = page.client.post(
        f"/_practice/people/{second}/edit?company=awase-renshu-2", data={"position": "部長", "was.position": ""}
    )
    assert page.page.headers["Location"].endswith("company=awase-renshu-2&said=saved")
    assert smarthr_of(apps[1]).crew("0001")["position"] == "部長"
    assert smarthr_of(apps[0]).crew("0001")["position"] != "部長"


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_freee_shows_every_item_in_its_own_words(freee: AtScreen) -> None:
    shown = freee.open(f"people/{freee.id('0001')}")
    assert [label for label in FREEE_ITEMS.split() if label not in shown] == []


def test_an_edit_at_freee_holds_from_the_month_on(freee: AtScreen) -> None:
    who = freee.id("0001")
    freee.open(f"people/{who}")
    months = [value for name, value in freee.page.form(f"/people/{who}").fields if name == "month"]
    (now,) = months
    before, later = (company(freee).employee(int(who), month=_month(now, by)) for by in (-1, 0))
    freee.open(f"people/{who}/edit?month={now}")
    assert "保存しました" in freee.send(profile_rule__title="部長", profile_rule__residential_prefecture_code="13")
    assert "神奈川県" in freee.page.words
    assert company(freee).employee(int(who), month=_month(now, -1)) == before
    after = company(freee).employee(int(who), month=_month(now, 0))
    changed = {name for name, value in after["profile_rule"].items() if value != later["profile_rule"][name]}
    assert changed == {"title", "residential_prefecture_code"}
    assert after["profile_rule"]["residential_prefecture_code"] == 13
    assert freee.events() == [("updated", who)]


def _month(text: str, by: int) -> tuple[int, int]:
    """A month by its distance; 正社員 are paid in the month that closes."""
    year, number = (int(each) for each in text.split("-"))
    count = year * 12 + number - 1 + by
    return count // 12, count % 12 + 1


def test_of_account_and_insurance_freee_tells_nobody(freee: AtScreen) -> None:
    """As the real one: such an edit on the screen fires no webhook."""
    who = freee.id("0001")
    freee.open(f"people/{who}/edit")
    assert "Webhook で知らされません" in freee.page.words
    told = freee.send(bank_account_rule__account_number="7654321", health_insurance_rule__reference_num="77")
    assert "7654321" in told and freee.events() == []


def test_freee_refuses_on_the_form_what_its_api_refuses(freee: AtScreen) -> None:
    who = freee.id("0001")
    freee.open(f"people/{who}/edit")
    told = freee.send(
        profile_rule__last_name="",
        profile_rule__last_name_kana="さとう",
        bank_account_rule__bank_code="12",
        welfare_pension_insurance_rule__standard_monthly_remuneration="多い",
        retire_date="1999-01-01",
        birth_date="",
    )
    for message in (
        "姓を入力してください",
        "姓カナは全角カタカナで入力してください",
        "金融機関コードは4桁の半角数字で入力してください",
        "標準報酬月額は数値で指定してください",
        "退職日は入社日以降の日付を入力してください",
        "生年月日を入力してください",
    ):
        assert message in told
    assert 'id="i-bank_account_rule-bank_code-fault"' in freee.page.text
    assert freee.events() == []
    injector_of(freee.app).set_switch("num_unique", True)
    freee.open(f"people/{who}/edit")
    assert "従業員番号はすでに使用されています" in freee.send(num="0002")


def test_somebody_joins_and_leaves_freee(freee: AtScreen) -> None:
    freee.open("people/new")
    told = freee.send(num="9001", last_name="架空", first_name="花", pay_amount="230000")
    assert "姓カナを入力してください" in told and "入社日を入力してください" in told and not freee.ids_of("9001")
    dates = {"birth_date": "1990-04-01", "entry_date": TODAY.replace(day=1).isoformat()}
    assert "登録しました" in freee.send(last_name_kana="カクウ", first_name_kana="ハナ", **dates)
    who = freee.id("9001")
    freee.open(f"people/{who}/leave")
    assert "退職日を入力してください" in freee.send(day="")
    assert "入社日以降" in freee.send(day="1999-01-01")
    assert "2099-03-31" in freee.send(day="2099-03-31")
    assert freee.events() == [("created", who), ("updated", who)]


def test_somebody_outside_payroll_has_only_what_freee_keeps_of_them(freee: AtScreen) -> None:
    who = freee.id("0083")
    assert "給与計算対象外" in freee.open(f"people/{who}") and "肩書" not in freee.page.words
    freee.open(f"people/{who}/edit")
    assert "保存しました" in freee.send(display_name="架空 花")
    assert company(freee).employee(int(who))["display_name"] == "架空 花"


def test_a_file_at_freee_is_told_to_nobody(freee: AtScreen) -> None:
    head = "従業員番号,姓,名,姓カナ,名カナ,生年月日,入社日,肩書,金融機関コード\n"
    told = freee.imported(f"{head}0001,,,,,,,部長,\n9001,架空,花,カクウ,ハナ,1990-04-01,2026-04-01,課長,0005\n")
    assert "登録 1 人、更新 1 人" in told
    made = company(freee).employee(int(freee.id("9001")))
    assert made["profile_rule"]["title"] == "課長" and made["bank_account_rule"]["bank_code"] == "0005"
    assert freee.events() == []


def test_one_wrong_row_at_freee_stops_the_file(freee: AtScreen) -> None:
    head = "従業員番号,姓,名,姓カナ,名カナ,生年月日,入社日,肩書,金融機関コード\n"
    told = freee.imported(
        f"{head}0001,,,,,,,部長,\n9001,架空,花,カクウ,ハナ,1990-04-01,2026-04-01,,5\n9002,架空,,,,,,,\n"
    )
    assert "2人目: 金融機関コードは4桁の半角数字" in told and "3人目: 名を入力してください" in told
    assert not freee.ids_of("9001")
    assert company(freee).employee(int(freee.id("0001")))["profile_rule"]["title"] != "部長"


def test_a_month_in_which_somebody_is_not_there_says_so(freee: AtScreen) -> None:
    gone = freee.id("0071")
    assert "在籍していません" in freee.open(f"people/{gone}")
    assert freee.open(f"people/{gone}?month=nonsense")
