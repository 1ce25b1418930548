"""What an entry of the error catalogue is, and the entries E1 to E23, as data.

The fields of an entry are `code`, `who`, `message`, `cause`, `remedy`, and where they apply `automatic`,
`automatic_who`, `undo`, `elsewhere`, `towards`, `family` (see `Entry`). English, in
`app/web/texts/en/causes.toml` under the code: `message`, `cause`, `remedy` and, where the entry has them, `automatic`,
`undo` and `elsewhere`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.domain.enums import System


class Who(StrEnum):
    """Who must act."""

    HR = "hr"  # the data
    RIGHTS = "rights"  # rights, contracts and restrictions in SmartHR or freee
    ADMIN = "admin"  # Awase's settings, consent, tokens
    OPS = "ops"  # the machine that Awase runs on
    SYSTEM = "system"  # nobody: it goes on or is repeated by itself

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Who.HR: "人事労務担当者",
    Who.RIGHTS: "SmartHR・freee人事労務の権限を管理する人",
    Who.ADMIN: "Awaseの管理者",
    Who.OPS: "Awaseの運用担当者",
    Who.SYSTEM: "対応不要（自動で続けます）",
}


@dataclass(frozen=True)
class Entry:
    """One thing that can go wrong.

    The texts may hold {source}, {target} (the products of the run's direction) and {again} (how this employee is synced
    once more: by the person in a run that a person has started, by itself in an automatic one); `catalogue` fills them.
    `automatic`, `automatic_who`: remedy and who in automatic runs, where nobody chooses a reference date or looks at a
    preview; None: as in other runs. `undo`: the remedy where a run is taken back; `elsewhere`: where no run is
    concerned. `towards`: the system in whose runs alone this can happen; None: in any run.
    `family`: the entry of E1…E23 of which this is a case; None: of none.
    """

    code: str
    who: Who
    message: str
    cause: str
    remedy: str
    family: str | None = None
    automatic: str | None = None
    automatic_who: Who | None = None
    undo: str | None = None
    elsewhere: str | None = None
    towards: System | None = None


TRY_LATER: Mapping[str, Any] = {
    "remedy": "しばらくは自動で繰り返します。失敗のまま終わったときは、時間をおいて、もう一度同期してください。",
    "automatic": "次の自動同期で、もう一度試します。対応は必要ありません。",
    "automatic_who": Who.SYSTEM,
    "undo": "しばらくは自動で繰り返します。失敗のまま終わったときは、時間をおいて、もう一度元に戻してください。",
    "elsewhere": "少し待ってから、もう一度お試しください。続くときは、製品の障害情報を確かめてください。",
}
REPEAT_LATER: Mapping[str, Any] = {
    **TRY_LATER,
    "remedy": "時間をおいて、失敗した従業員をもう一度同期してください。",
    "undo": "時間をおいて、もう一度元に戻してください。",
}
MEND_BY_HAND = "元の値にしたいときは、{target}の画面で直してください。"
"""The remedy where an undo has nothing that could be done once more."""


# fmt: off
_ENTRIES = (
    Entry("E1", Who.HR, "入社年月日が入力されていません。",
          "{target}では入社日が必須ですが、{source}の入社年月日が空です。",
          "{source}で入社年月日を入力してください。{again}"),
    Entry("E2", Who.HR, "必須の項目（生年月日・氏名・ヨミガナ・性別など）が入力されていません。",
          "{target}で必須の項目が、{source}で空です。",
          "{source}で空の項目を入力してください。{again}"),
    Entry("E3", Who.RIGHTS, "接続元のIPアドレスがfreee人事労務で許可されていません。",
          "freeeのアクセス制限が有効です。",
          "freeeのアクセス制限の許可リストにこのシステムの送信元アドレスを加えるか、同期の間だけ制限を解除してください。"),
    Entry("E4", Who.ADMIN, "締め日支払い日グループ名がfreee人事労務に見つかりません。",
          "エクスポート設定の締め日支払い日グループ名が、freee人事労務の設定と一致していません。",
          "freee人事労務の「設定 > 締め日支払い日」の名前を確かめ、エクスポート設定を直してください。"),
    Entry("E5", Who.ADMIN, "勤務・賃金設定名がfreee人事労務に見つかりません。",
          "エクスポート設定の勤務・賃金設定名が一文字でも違うか、freee人事労務で名前が変わりました。",
          "freee人事労務の「設定 > 勤務・賃金設定」の名前を確かめ、エクスポート設定を直してください。"),
    Entry("E6", Who.ADMIN, "この勤務・賃金設定では、選ばれた給与方式を使えません。",
          "フレックスタイム制で使える給与方式は月給だけです。",
          "エクスポート設定の給与方式を月給にするか、別の勤務・賃金設定を指定してください。"),
    Entry("E7", Who.HR, "同じ人と思われる従業員が{target}にあり、別の従業員と紐付いています。",
          "{source}で従業員を削除して登録し直したため、紐付けが切れた可能性があります。",
          "どちらの従業員が正しいかを決めて紐付け直し、重複した従業員を{target}で整理してください。"),
    Entry("E8", Who.HR, "社員番号（従業員番号）が空か、ほかの従業員と重複しています。",
          "番号で相手を一人に決められません。",
          "番号を入力するか、重複をなくしてください。{again}"),
    Entry("E9", Who.HR, "指定された従業員番号の従業員が見つかりません。",
          "その従業員番号は登録されていないか、入力した番号が違います。",
          "従業員番号を確かめてください。{again}"),
    Entry("E10", Who.HR, "SmartHRにいない従業員が指定されました。",
          "まだ紐付いていないか、SmartHRに登録されていない従業員です。",
          "SmartHRにこの従業員がいることを確かめてください。{again}"),
    Entry("E11", Who.HR, "給与明細を取り込めません。",
          "SmartHRに差引支給額・支給合計・控除合計のいずれかの項目がありません。",
          "三つの項目をSmartHRに登録してください。{again}"),
    Entry("E12", Who.HR, "給与明細を引き継げません。",
          "給与明細が未確定か、freeeの契約が対象外です。",
          "給与明細を確定し、freeeの契約内容を確かめてください。"),
    Entry("E13", Who.HR, "退職日が入社日より前になっています。",
          "退職年月日と入社年月日の前後が逆です。",
          "{source}の日付を直してください。{again}"),
    Entry("E14", Who.HR, "freee人事労務で給与計算対象外の従業員のため、一部の項目を反映していません。",
          "給与計算対象外の従業員には、本人情報・社会保険・口座などの項目がありません。",
          "反映が必要な場合は、freee人事労務で給与計算の対象にしてください。"),
    Entry("E15", Who.RIGHTS, "SmartHRのアクセストークンで読めない項目があります。",
          "アクセストークンの従業員項目のアクセス許可が制限されています。",
          "SmartHRの「外部システム連携 > アクセストークン」で、この項目の参照と更新を許可してください。"),
    Entry("E16", Who.HR, "{target}に対応する値がないため、この項目を変換できません。",
          "二つの製品で使える値が異なります。",
          "{source}の値を直すか、この項目を連携の対象から外してください。"),
    Entry("E17", Who.HR, "{target}が値を受け付けませんでした。",
          "送った値のどれかが{target}の規則に合いません。",
          "製品の返答を読んで値を確かめ、{source}で直してください。{again}"),
    Entry("E18", Who.ADMIN, "認証の期限が切れたか、無効になっています。",
          "アクセストークンの期限が切れたか、失効しています。freee人事労務のトークンは自動で更新しますが、更新できませんでした。",
          "接続の設定で、freee人事労務は認可をやり直し、SmartHRは新しいアクセストークンを登録してください。"),
    Entry("E19", Who.RIGHTS, "この操作の権限がありません。",
          "接続した利用者に管理者権限がないか、アプリやアクセストークンに権限がありません。",
          "freee人事労務は管理者権限の利用者で認可をやり直し、SmartHRはアクセストークンの権限を加えてください。"),
    Entry("E20", Who.HR, "紐付いていた従業員が{target}に見つかりません。",
          "{target}で従業員が削除されました。",
          "新しく作成してよいかを確かめ、紐付けを解除するか、別の従業員と紐付けてください。"),
    Entry("E21", Who.SYSTEM, "製品を呼び出せる回数の上限に達しました。",
          "一定時間に呼び出せる回数を超えました。",
          "上限が戻りしだい自動で続けます。"),
    Entry("E22", Who.HR, "製品の側で一時的な障害が起きています。",
          "SmartHRかfreee人事労務の障害、または応答の遅れです。",
          **TRY_LATER),
    Entry("E23", Who.ADMIN, "原因の分からないエラーが続いています。",
          "これまでに知られていないエラーです。",
          "行った操作、手順、日時、メールの本文の四点を添えて、サポートに問い合わせてください。"),
)
# fmt: on

DOCUMENTED: Mapping[str, Entry] = {entry.code: entry for entry in _ENTRIES}
