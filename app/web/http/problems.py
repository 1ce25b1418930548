"""The stable codes of our HTTP errors: status, short title and default text, as RFC 9457 problem documents use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ProblemKind:
    """One code: `title` names the kind, `detail` says what to do about it (used when nothing more exact is known)."""

    status: int
    title: str
    detail: str


MAX_BODY_BYTES = 1_000_000
FIRST_YEAR, LAST_YEAR = 2000, 2099
"""The years in which an as-of date may lie, so that the payroll months around it can be calculated."""

FIELD_PROBLEMS: Mapping[str, ProblemKind] = {
    code: ProblemKind(422, title, detail)
    for code, title, detail in (
        ("missing_field", "必須項目がありません", "この項目は必須です。"),
        ("unknown_field", "知らない項目があります", "この項目は受け付けていません。項目名を確認してください。"),
        ("null_field", "値がありません", "null は指定できません。"),
        ("invalid_body", "本文の形が違います", "本文は JSON のオブジェクトにしてください。"),
        ("invalid_text", "文字列が正しくありません", "使える文字と長さを確認してください。"),
        ("invalid_connection", "接続キーが正しくありません", "接続キー(文字列)を指定してください。"),
        (
            "invalid_direction",
            "同期の向きが正しくありません",
            "smarthr_to_freee か freee_to_smarthr を指定してください。",
        ),
        (
            "invalid_date",
            "日付が正しくありません",
            f"実在する日付を YYYY-MM-DD の形で指定してください({FIRST_YEAR}年から{LAST_YEAR}年まで)。",
        ),
        ("invalid_shown", "見た計画の指定が正しくありません", "実行の surveyed_at の値をそのまま指定してください。"),
        ("invalid_employees", "従業員の指定が正しくありません", '"all" か、従業員番号の配列を指定してください。'),
        ("empty_employees", "従業員が指定されていません", '1人以上の従業員番号か "all" を指定してください。'),
        (
            "invalid_employee_number",
            "従業員番号の形が正しくありません",
            '従業員番号は1〜100文字の文字列で指定してください("00123" のように引用符で囲みます)。',
        ),
        (
            "invalid_overwrite",
            "書き換える項目の指定が正しくありません",
            '{"employee_number": 従業員番号, "items": [項目のキー]} の配列を指定してください。',
        ),
        ("invalid_boolean", "真偽値が正しくありません", "true か false を指定してください。"),
        ("invalid_limit", "件数が正しくありません", "1 から 100 までの整数を指定してください。"),
        ("invalid_after", "続きの位置が正しくありません", "前の応答の next_after をそのまま指定してください。"),
        ("invalid_state", "状態が正しくありません", "従業員ごとの結果の状態を指定してください。"),
        (
            "invalid_delivery_state",
            "扱いが正しくありません",
            "received、accepted、ignored、unknown、unrouted のどれかです。",
        ),
        (
            "invalid_instant",
            "時刻が正しくありません",
            "時差を付けて指定してください(2026-11-22T09:00:00+09:00、年は2000から2099)。",
        ),
        ("invalid_replay_limit", "件数が正しくありません", "1 から 10000 までの整数を指定してください。"),
        (
            "invalid_idempotency_key",
            "Idempotency-Key が正しくありません",
            "1〜255文字の半角英数記号で指定してください。",
        ),
        ("invalid_request", "入力に誤りがあります", "複数の項目に誤りがあります。fields を確認してください。"),
    )
}

REFUSALS: Mapping[str, ProblemKind] = {
    code: ProblemKind(status, title, detail)
    for code, status, title, detail in (
        ("run_not_found", 404, "実行が見つかりません", "実行の id を確認してください。"),
        ("delivery_not_found", 404, "通知が見つかりません", "通知の id を確認してください。"),
        (
            "nothing_to_replay",
            409,
            "やり直すものがありません",
            "通知に従業員の ID がないか、その向きの自動の同期がありません。",
        ),
        ("replay_needs_since", 422, "期間がありません", "since を指定するか、failed を true にしてください。"),
        ("unknown_connection", 404, "接続が見つかりません", "接続キーを確認してください。"),
        (
            "idempotency_conflict",
            409,
            "鍵がほかの要求で使われています",
            "内容を変えるときは、新しい鍵で送ってください。",
        ),
        (
            "survey_open",
            409,
            "先に頼んだ差分を調べています",
            "fields.run の実行が終わるのを待つか、取り消してから、もう一度送ってください。",
        ),
        (
            "compare_first",
            409,
            "引き継いだ後の比較を確かめてください",
            "比較の確認を承認するか破棄してから、実行してください。",
        ),
        ("needs_consent", 409, "freee の認可が必要です", "接続の設定から認可をやり直してください。"),
        ("connection_paused", 409, "接続が一時停止中です", "再開してから実行してください。"),
        ("export_settings_incomplete", 409, "エクスポート設定がありません", "設定してから実行してください。"),
        ("not_previewed", 409, "承認できる状態ではありません", "確認待ちの実行だけを承認できます。"),
        ("shown_otherwise", 409, "表示した後に変わりました", "もう一度内容を確かめてから承認してください。"),
        ("nobody_chosen", 422, "従業員が選ばれていません", "同期する従業員を1人以上選んでください。"),
        ("not_held", 422, "書き換えを待っていない項目です", "確認で held となっている項目を指定してください。"),
        ("not_waiting", 422, "待っていない従業員番号です", "確認で差分のある従業員番号を指定してください。"),
        (
            "mass_change",
            409,
            "一度に変わる人数が多すぎます",
            "内容を確かめ、意図したものなら acknowledge_mass_change を true にしてください。",
        ),
        (
            "accounts_scope_missing",
            403,
            "口座などの変更の権限がありません",
            "この接続では2人での確認が要るため、API キーにスコープ accounts:write が必要です。",
        ),
        ("second_person_no_user", 403, "2人目は利用者だけです", "利用者が画面で承認してください。"),
        ("second_person_expired", 409, "承認の期限が過ぎています", "次に違いを見つけたときに、また提案します。"),
        ("run_not_finished", 409, "まだ終わっていません", "終わってから、もう一度行ってください。"),
        ("nothing_to_retry", 409, "もう一度行うものがありません", "失敗した従業員がいる実行だけを、もう一度行えます。"),
        ("nothing_to_undo", 409, "元に戻すものがありません", "この実行は何も書き込んでいません。"),
        ("undo_open", 409, "元に戻す実行があります", "先に、その実行を承認するか取り消してください。"),
        ("values_erased", 409, "値が消去されています", "保存期間を過ぎた実行は元に戻せません。"),
        ("run_finished", 409, "すでに終わっています", "終わった実行は取り消せません。"),
        ("as_of_date_out_of_range", 422, "基準日が遠すぎます", "5年前から1年後までの日を指定してください。"),
        ("no_employees", 422, "従業員が指定されていません", "1人以上の従業員番号を指定してください。"),
        ("too_many_employees", 422, "従業員が多すぎます", "数を減らすか、全員を指定してください。"),
        ("blank_employee_number", 422, "空の従業員番号があります", "空の番号を除いてください。"),
        ("duplicate_employee_number", 422, "従業員番号が重なっています", "同じ番号を1つにしてください。"),
        ("unknown_employee_number", 422, "知らない従業員番号があります", "取得元の従業員番号を確認してください。"),
        ("database_unavailable", 503, "データベースが応答しません", "少し待ってから、もう一度送ってください。"),
        (
            "house_rests",
            503,
            "このデータベースは写しとみられるため休んでいます",
            "元の設置先が止まっていることを確かめてから、flask house adopt で引き継いでください。",
        ),
        ("queue_unavailable", 503, "キューが応答しません", "少し待ってから、もう一度送ってください。"),
    )
}
"""What the use cases refuse; the text of a refusal itself says more. A test compares this list with their code."""

PROBLEMS: Mapping[str, ProblemKind] = {
    **FIELD_PROBLEMS,
    **REFUSALS,
    "bad_request": ProblemKind(400, "要求を読めません", "要求の形を確認してください。"),
    "invalid_json": ProblemKind(400, "JSON として読めません", "本文は UTF-8 の JSON で送ってください。"),
    "unauthorized": ProblemKind(401, "認証できません", "有効な API キーを Authorization: Bearer で送ってください。"),
    "webhook_unauthorized": ProblemKind(
        401, "受け付けられません", "Webhook の登録(アドレスとトークン)を確認してください。"
    ),
    "insufficient_scope": ProblemKind(403, "権限がありません", "この操作に必要なスコープが API キーにありません。"),
    "not_found": ProblemKind(404, "見つかりません", "アドレスを確認してください。"),
    "method_not_allowed": ProblemKind(405, "このメソッドは使えません", "Allow にあるメソッドを使ってください。"),
    "conflict": ProblemKind(409, "いまの状態ではできません", "状態を確認してから、もう一度実行してください。"),
    "body_too_large": ProblemKind(413, "本文が大きすぎます", f"本文は {MAX_BODY_BYTES:,} バイトまでです。"),
    "unsupported_media_type": ProblemKind(
        415, "この形式は受け付けていません", "Content-Type: application/json で送ってください。"
    ),
    "too_many_failures": ProblemKind(
        429, "認証の失敗が多すぎます", "しばらく待ってから、正しい API キーで送ってください。"
    ),
    "internal_error": ProblemKind(
        500, "内部エラー", "処理できませんでした。続くときは request_id を添えてお問い合わせください。"
    ),
    "stored_value_locked": ProblemKind(
        503,
        "保存した値を開けません",
        "暗号鍵が足りません。値は失われていません。鍵が戻ったら、もう一度送ってください。",
    ),
    "unavailable": ProblemKind(503, "いまは受け付けられません", "少し待ってから、同じ要求をもう一度送ってください。"),
}

_BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "insufficient_scope",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_failures",
    500: "internal_error",
    503: "unavailable",
}


def code_of_status(status: int) -> str:
    """The code for an HTTP status, used when no more exact code is known."""
    return _BY_STATUS.get(status, "internal_error" if status >= 500 else "bad_request")


def title_of(code: str, *, status: int) -> str:
    """The title of a code; a code that is not listed here gets the title of its status."""
    kind = PROBLEMS.get(code)
    return kind.title if kind else PROBLEMS[code_of_status(status)].title
