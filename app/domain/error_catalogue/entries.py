"""The entries E1 to E23 of the error catalogue (sync-items section 6), as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Who(StrEnum):
    """Who can repair it (sync-items section 6)."""

    HR = "hr"  # the data
    ADMIN = "admin"  # settings, rights, contracts
    SYSTEM = "system"  # waits or repeats by itself

    @property
    def label(self) -> str:
        return {"hr": "人事労務担当者", "admin": "管理者", "system": "自動で再試行"}[self.value]


@dataclass(frozen=True)
class Entry:
    """One thing that can go wrong.

    `family`: the entry of E1…E23 of which this is a case, for grouping; None: the entry is a group of its own.
    """

    code: str
    who: Who
    message: str
    cause: str
    remedy: str
    family: str | None = None
    patterns: tuple[str, ...] = ()
    """Regular expressions for the vendors' texts that mean this, tried with `re.search` (catalogue_signs)."""


# fmt: off
_ENTRIES = (
    Entry("E1", Who.HR, "入社年月日が入力されていません。",
          "freee人事労務では入社日が必須ですが、SmartHRの入社年月日が空です。",
          "SmartHRで入社年月日を入力し、この従業員をもう一度同期してください。",
          patterns=(r"入社(年月)?日を入力",)),
    Entry("E2", Who.HR, "必須の項目（生年月日・氏名・ヨミガナ・性別など）が入力されていません。",
          "反映先で必須の項目が、取得元で空です。",
          "取得元で空の項目を入力し、この従業員をもう一度同期してください。",
          patterns=(r"(生年月日|姓|名|カナ|ヨミガナ|氏名|性別)[^。]{0,20}を?(入力|選択)して(ください|下さい)",)),
    Entry("E3", Who.ADMIN, "接続元のIPアドレスが許可されていないため、freee人事労務に接続できません。",
          "freeeのアクセス制限が有効です。",
          "freeeのアクセス制限の許可リストにこのシステムの送信元アドレスを加えるか、同期の間だけ制限を解除してください。",
          patterns=(r"接続元のIPアドレス", r"source_ip_address_limit")),
    Entry("E4", Who.ADMIN, "締め日支払い日グループ名がfreee人事労務に見つかりません。",
          "エクスポート設定の締め日支払い日グループ名が、freee人事労務の設定と一致していません。",
          "freee人事労務の「設定 > 締め日支払い日」の名前を確かめ、エクスポート設定を直してください。",
          patterns=(r"締め日支払い日",)),
    Entry("E5", Who.ADMIN, "勤務・賃金設定名がfreee人事労務に見つかりません。",
          "エクスポート設定の勤務・賃金設定名が一文字でも違うか、freee人事労務で名前が変わりました。",
          "freee人事労務の「設定 > 勤務・賃金設定」の名前を確かめ、エクスポート設定を直してください。",
          patterns=(r"勤務・?賃金設定",)),
    Entry("E6", Who.ADMIN, "この勤務・賃金設定では、選ばれた給与方式を使えません。",
          "フレックスタイム制で使える給与方式は月給だけです。",
          "エクスポート設定の給与方式を月給にするか、別の勤務・賃金設定を指定してください。",
          patterns=(r"給与方式", r"フレックス")),
    Entry("E7", Who.HR, "同じ人と思われる従業員が反映先にあり、別の従業員と紐付いています。",
          "取得元で従業員を削除して登録し直したため、紐付けが切れた可能性があります。",
          "どちらの従業員が正しいかを決めて紐付け直し、重複した従業員を反映先で整理してください。"),
    Entry("E8", Who.HR, "社員番号（従業員番号）が空か、ほかの従業員と重複しています。",
          "番号で相手を一人に決められません。",
          "番号を入力するか、重複をなくしてから、もう一度同期してください。",
          patterns=(r"(社員|従業員)番号[^。]*(重複|既に|すでに|登録済|使用)",)),
    Entry("E9", Who.HR, "従業員番号に対応する従業員がfreee人事労務にいません。",
          "指定された従業員番号がfreee人事労務に登録されていません。",
          "従業員番号を確かめてください。",
          patterns=(r"従業員番号に対応する従業員が見つかりません",)),
    Entry("E10", Who.HR, "SmartHRにいない従業員が指定されました。",
          "まだ紐付いていないか、SmartHRに登録されていない従業員です。",
          "先にこの従業員を同期してください。",
          patterns=(r"SmartHRに存在しない従業員",)),
    Entry("E11", Who.ADMIN, "給与明細を取り込めません。",
          "SmartHRに差引支給額・支給合計・控除合計のいずれかの項目がありません。",
          "三つの項目をSmartHRに登録し、もう一度取り込んでください。",
          patterns=(r"(差引支給額|支給合計|控除合計)",)),
    Entry("E12", Who.HR, "給与明細を引き継げません。",
          "給与明細が未確定か、freeeの契約が対象外です。",
          "給与明細を確定し、freeeの契約内容を確かめてください。",
          patterns=(r"給与明細[^。]*確定",)),
    Entry("E13", Who.HR, "退職日が入社日より前になっています。",
          "退職年月日と入社年月日の前後が逆です。",
          "取得元の日付を直し、もう一度同期してください。",
          patterns=(r"退職(年月)?日[^。]*入社(年月)?日",)),
    Entry("E14", Who.HR, "freee人事労務で給与計算対象外の従業員のため、一部の項目を反映していません。",
          "給与計算対象外の従業員には、本人情報・社会保険・口座などの項目がありません。",
          "反映が必要な場合は、freee人事労務で給与計算の対象にしてください。",
          patterns=(r"給与計算(の)?対象外", r"no_payroll_calculation")),
    Entry("E15", Who.ADMIN, "SmartHRのアクセストークンで読めない項目があります。",
          "アクセストークンの従業員項目のアクセス許可が制限されています。",
          "SmartHRの「外部システム連携 > アクセストークン」で、この項目の参照と更新を許可してください。"),
    Entry("E16", Who.HR, "反映先に対応する値がないため、この項目を変換できません。",
          "二つの製品で使える値が異なります。",
          "取得元の値を直すか、この項目を連携の対象から外してください。",
          patterns=(r"カタカナで入力", r"(正しい|不正な)形式", r"[0-9０-９]+(文字以内|桁)", r"数字で入力")),
    Entry("E17", Who.HR, "反映先が値を受け付けませんでした。",
          "送った値のどれかが反映先の規則に合いません。",
          "この従業員の項目の値を確かめて直し、もう一度同期してください。"),
    Entry("E18", Who.SYSTEM, "認証の期限が切れたか、取り消されています。",
          "アクセストークンの期限切れ、または失効です。",
          "自動で更新します。続くときは、管理者が接続をやり直してください。"),
    Entry("E19", Who.ADMIN, "この操作の権限がありません。",
          "接続した利用者に管理者権限がないか、アプリやアクセストークンに権限がありません。",
          "freee人事労務は管理者権限の利用者で接続し直し、SmartHRはアクセストークンの権限を確かめてください。"),
    Entry("E20", Who.HR, "紐付いていた従業員が反映先に見つかりません。",
          "反映先で従業員が削除されました。",
          "新しく作成してよいかを確かめ、紐付けを解除するか、別の従業員と紐付けてください。"),
    Entry("E21", Who.SYSTEM, "反映先の利用回数の上限に達しました。",
          "一定時間に呼び出せる回数を超えました。",
          "上限が戻りしだい自動で続けます。"),
    Entry("E22", Who.SYSTEM, "反映先で一時的な障害が起きています。",
          "反映先の障害、または応答の遅れです。",
          "間隔を空けて自動で再試行します。終わった後も失敗しているときは、時間をおいて再実行してください。"),
    Entry("E23", Who.ADMIN, "原因の分からないエラーが続いています。",
          "これまでに知られていないエラーです。",
          "行った操作、手順、日時、メールの本文の四点を添えて、サポートに問い合わせてください。"),
)
# fmt: on

DOCUMENTED: Mapping[str, Entry] = {entry.code: entry for entry in _ENTRIES}
