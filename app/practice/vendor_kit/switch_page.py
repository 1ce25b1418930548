"""A practice vendor's page on which a person switches, by clicking, what the vendor should do wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template_string, request
from werkzeug.wrappers import Response

from app.practice.vendor_kit.companies import NAMES
from app.practice.vendor_kit.fault_injection import BadSwitch, FaultInjector, Switch


@dataclass(frozen=True)
class Mishap:
    """A fault on the wire that a person can ask for. `rule`: as `Fault` takes it."""

    name: str
    text: str
    rule: Mapping[str, Any]


def mishaps(*, update: str, create: str, update_path: str, create_path: str) -> tuple[Mishap, ...]:
    """The faults worth rehearsing. `update`, `create`: the vendor's methods for them."""
    return (
        Mishap(
            "busy", "次の更新を1回、503(混雑)で断る", {"method": update, "path": update_path, "status": 503, "times": 1}
        ),
        Mishap(
            "lost",
            "次の登録を受け付けた後、応答を失う",
            {"method": create, "path": create_path, "after": True, "times": 1},
        ),
        Mishap("limit", "次の3回を429(回数の上限)で断る", {"status": 429, "times": 3, "headers": {"Retry-After": "2"}}),
        Mishap("cut", "次の3回の応答を途中で切る", {"cut": True, "times": 3}),
        Mishap("slow", "すべての応答を3秒遅らせる", {"delay": 3.0}),
        Mishap("down", "すべてを500(障害)で断る", {"status": 500}),
    )


def switch_routes(injector: FaultInjector, *, title: str, offered: tuple[Mishap, ...]) -> Blueprint:
    """GET / shows everything; POST /clicks changes one thing and leads back."""
    routes = Blueprint("practice_switch_page", __name__)
    by_name = {each.name: each for each in offered}

    @routes.get("/")
    def page() -> str:
        return render_template_string(
            _PAGE,
            title=title,
            switches=[_shown(each, injector.switches[each.name]) for each in injector.declared.values()],
            mishaps=offered,
            faults=injector.fault_rules,
            companies=request.environ.get(NAMES, {}),
            company=injector.company,
            here=f"?company={injector.company}" if NAMES in request.environ else "",
        )

    @routes.post("/clicks")
    def click() -> Response:
        sent = request.form
        if "mishap" in sent and sent["mishap"] in by_name:
            injector.fault(**by_name[sent["mishap"]].rule)
        elif "calm" in sent:
            injector.clear_faults()
            injector.set_switches(injector.defaults)
        elif sent.get("switch") in injector.declared:
            _set(injector, injector.declared[sent["switch"]], sent)
        asked = request.args.get("company")
        return redirect(request.path.removesuffix("clicks") + (f"?company={asked}" if asked else ""), code=303)

    return routes


def _set(injector: FaultInjector, switch: Switch, sent: Mapping[str, str]) -> None:
    """Set one switch to the value that the page sent; a value that is not offered changes nothing.

    A person types a list with commas. For any other switch the page sends the position of the chosen value, which is
    the number itself where numbers are offered.
    """
    try:
        if switch.allowed is None:
            names = (each.strip() for each in sent.get("list", "").split(","))
            injector.set_switch(switch.name, [each for each in names if each])
        else:
            injector.set_switch(switch.name, switch.allowed[int(sent.get("choice", ""))])
    except (BadSwitch, ValueError, IndexError):
        return


def _shown(switch: Switch, value: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": switch.name, "text": NOTES[switch.name], "choices": [], "list": None, "most": None}
    if isinstance(switch.allowed, range):
        return {**shown, "most": switch.allowed[-1], "number": value}
    choices = [
        {"at": at, "text": _word(each), "on": type(each) is type(value) and each == value}
        for at, each in enumerate(switch.allowed or ())
    ]
    listed = ", ".join(value) if switch.allowed is None else None
    return {**shown, "choices": choices, "list": listed}


def _word(value: Any) -> str:
    return {True: "オン", False: "オフ"}[value] if isinstance(value, bool) else str(value)


_PAGE = """<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.7 "Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", "Yu Gothic UI", sans-serif; max-width: 60rem;
  margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
button, input { font: inherit; min-height: 2.5rem; padding: 0 .8rem; border-radius: .4rem; border: 1px solid #7d8a83; }
[aria-pressed="true"] { background: #0f5c4d; color: #fff; }
li { display: flex; flex-wrap: wrap; gap: .3rem .8rem; justify-content: space-between; align-items: center;
  border-bottom: 1px solid #8886; padding: .4rem 0; }
ul { list-style: none; padding: 0; } form { display: flex; flex-wrap: wrap; gap: .3rem; } code { font-size: .85em; }
</style></head><body><main>
<h1>{{ title }}</h1>
{% if companies %}<nav aria-label="事業所">{% for key, name in companies.items() %}<a href="?company={{ key }}"
{% if key == company %}aria-current="page"{% endif %}>{{ name }}</a> {% endfor %}</nav>{% endif %}
<p><a href="people{{ here }}">従業員の画面へ</a></p>
<p>練習用の製品です。ここで切り替えた障害や動きは、この練習用の会社だけに効きます。</p>
<form method="post" action="clicks{{ here }}"><button name="calm" value="1">すべて元に戻す</button></form>
<h2>障害を起こす</h2>
<ul>{% for each in mishaps %}<li><span>{{ each.text }}</span>
<form method="post" action="clicks{{ here }}"><button name="mishap" value="{{ each.name }}">起こす</button></form></li>{% endfor %}</ul>
{% if faults %}<p>いま効いている障害: {{ faults | length }} 件</p>{% endif %}
<h2>動きを切り替える</h2>
<ul>{% for each in switches %}<li><span>{{ each.text }}<br><code>{{ each.name }}</code></span>
<form method="post" action="clicks{{ here }}"><input type="hidden" name="switch" value="{{ each.name }}">
{% if each.list is not none %}<input name="list" value="{{ each.list }}" aria-label="{{ each.text }}"><button>変える</button>
{% elif each.most is not none %}<input type="number" name="choice" min="0" max="{{ each.most }}" value="{{ each.number }}" aria-label="{{ each.text }}"><button>変える</button>
{% else %}{% for choice in each.choices %}<button name="choice" value="{{ choice.at }}" aria-pressed="{{ "true" if choice.on else "false" }}">{{ choice.text }}</button>{% endfor %}{% endif %}
</form></li>{% endfor %}</ul>
</main></body></html>"""  # noqa: E501 - markup


NOTES: Mapping[str, str] = {
    # both
    "maintenance": "メンテナンス中になり、すべてを503で断る",
    "ignores_writes_of": "書き込んでも前の値のままになる項目(title、tel_number など。カンマ区切り)",
    "shortens_writes_of": "書き込むと最後の1文字が落ちる項目(カンマ区切り)",
    "forgets_writes_of": "書き込みの応答にだけ現れ、次に読むと前の値の項目(カンマ区切り)",
    "webhook_echo": "API で書き込んだ変更も、Webhook で知らせる",
    "webhook_duplicates": "同じ Webhook を余分に送る回数",
    "webhook_order": "Webhook の届く順番(そのまま、入れ替わる)",
    "webhook_loss": "Webhook が届かない(なし、すべて、3回に1回)",
    "webhook_delay": "Webhook を送るまでの秒数",
    "webhook_time_scale": "Webhook の再送の待ち時間の縮め方",
    "webhook_retries": "Webhook を送り直す回数や間隔",
    # SmartHR
    "inactive_subdomain": "サブドメインが変わり、前のアドレスでは使えない",
    "ip_not_permitted": "アクセス制限ルールで、接続元が許可されていない",
    "token_revoked": "アクセストークンが無効にされた",
    "plan_limit": "契約の人数の上限に達し、従業員を登録できない",
    "forbidden": "トークンに許可されていないもの(crews、crews:write、job_titles など。カンマ区切り)",
    "hidden_attributes": "トークンに見えない従業員項目(tel_number、birth_at など。カンマ区切り)",
    "hidden_attribute": "見えない項目の返り方(null、項目ごとない)",
    "hidden_write": "見えない項目に書き込んだとき(無視する、断る)",
    "duplicate_emp_code": "同じ社員番号の2人目(許す、断る)",
    "nested_address": "住所の一部だけを送ったとき(置き換える、残りを保つ)",
    "address_kana_digits": "住所のヨミガナの数字とハイフン(許す、断る)",
    "former_values": "以前その人にあった値の書き戻し(形式を問わず受ける、確かめる)",
    "positions_create": "マスターにない役職を書き込むと、新しく作る",
    "per_page_over_100": "一度に100人を超えて求められたとき(100人にする、断る)",
    "untouched_patch": "変わらない更新で更新日時が動くか",
    "webhook_on_untouched": "何も変わらない更新でも Webhook を送る",
    "webhook_import_singles": "ファイルの取り込みで、1人ずつの Webhook も送る",
    "flips_on_leaving": "退職年月日を過ぎると、在籍状況がひとりでに退職済になる",
    # freee人事労務
    "expired_status": "期限の切れたトークンを断るときの番号",
    "ip_restriction": "アクセス制限で、接続元が許可されていない",
    "missing_permission": "アプリに権限がない(あり、なし、認可のやり直しが必要)",
    "role": "認可した人の権限(管理者、本人のみ、ほかの権限)",
    "interactive": "認可のとき、許可するかどうかを尋ねる画面を出す",
    "token_limit": "トークンの発行と更新の上限(1分あたりの回数。0は上限なし)",
    "token_limit_says": "トークンの上限で断るときの知らせ方(秒数、日時、なし)",
    "refresh_after_expiry": "アクセストークンの期限が切れた後の更新(許す、断る)",
    "omitted_field": "更新で送らなかった項目(残す、消す)",
    "null_on_non_nullable": "空にできない項目を空にしようとしたとき(断る、消す)",
    "num_unique": "同じ従業員番号の2人目を断る",
    "kana": "カナの文字の検査(全角カタカナだけ、何でも)",
    "omitted_dependents": "更新で送らなかった家族(残す、消す)",
    "unknown_employee_subresource": "いない従業員を求められたときの番号",
    "gender_month": "性別の変更の及ぶ月(すべての月、その月から)",
    "employment_month": "在籍と見なす月の数え方(締め期間、暦の月)",
    "rules_of_new_employee": "登録したばかりの従業員の保険と口座(空、なし)",
    "outside_payroll_profile": "給与計算対象外の従業員の本人情報(なし、あり)",
    "hidden_items": "アプリに見えない項目(title、phone1、retire_date など。カンマ区切り)",
    "hidden_item": "見えない項目の返り方(null、項目ごとない)",
    "payslip_fixed": "給与明細が確定し、締め日支払い日を変えられない",
    "list_order": "従業員一覧の並び(ID の順、逆)",
}
