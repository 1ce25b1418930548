"""What every switch of the practice vendors does, one line each for a person who clicks it."""

from __future__ import annotations

from collections.abc import Mapping

NOTES: Mapping[str, str] = {
    # both
    "maintenance": "メンテナンス中になり、すべてを503で断る",
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
    "token_revoked": "アクセストークンが取り消された",
    "plan_limit": "契約の人数の上限に達し、従業員を登録できない",
    "forbidden": "トークンに許可されていないもの(crews、crews:write、job_titles など。カンマ区切り)",
    "hidden_attributes": "トークンに見えない従業員項目(tel_number、birth_at など。カンマ区切り)",
    "hidden_attribute": "見えない項目の返り方(null、項目ごとない)",
    "hidden_write": "見えない項目に書き込んだとき(無視する、断る)",
    "duplicate_emp_code": "同じ社員番号の2人目(許す、断る)",
    "nested_address": "住所の一部だけを送ったとき(置き換える、残りを保つ)",
    "address_kana_digits": "住所のヨミガナの数字とハイフン(許す、断る)",
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
    "payslip_fixed": "給与明細が確定し、締め日支払い日を変えられない",
    "list_order": "従業員一覧の並び(ID の順、逆)",
}
