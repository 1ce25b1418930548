"""By what freee's refusals are recognised."""

from __future__ import annotations

from app.adapters.signs import DATES_TURNED_ROUND, NUMBER_TAKEN, OF_ITEMS, Sign, Signs
from app.domain.enums import Step

_PAYROLL_ONLY = frozenset({Step.PROFILE, Step.HEALTH_INSURANCE, Step.PENSION_INSURANCE, Step.BANK_ACCOUNT})

# fmt: off
FREEE = Signs(
    stable=(  # some come with 401 and with 403
        Sign("E3", r"\bsource_ip_address_limit\b", "source_ip_address_limit"),
        Sign("needs_consent", r"\b(re_authorization_required|invalid_grant)\b", "re_authorization_required"),
        Sign("plan_limit", r"\b(freee_plan_limit|not_available_plan_limited_app)\b", "freee_plan_limit"),
        Sign("E18", r"\b(expired_access_token|invalid_access_token)\b", "access_denied expired_access_token"),
        Sign("E19", r"\b(user_do_not_have_permission|company_not_found)\b", "user_do_not_have_permission"),
    ),
    texts=(
        Sign("E9", r"従業員番号に対応する従業員が見つかりません", "従業員番号に対応する従業員が見つかりません"),
        Sign("E10", r"SmartHRに存在しない従業員", "SmartHRに存在しない従業員です。"),
        DATES_TURNED_ROUND,
        Sign("E14", r"給与計算(の)?対象外", "給与計算対象外の従業員です。"),
        Sign("E14", r"no_payroll_calculation", "no_payroll_calculation"),
        Sign("E3", r"接続元のIPアドレス", "接続元のIPアドレスからは、サービスをご利用いただくことができません"),
        Sign("E4", r"締め日支払い日", "締め日支払い日を選択してください。"),
        Sign("E5", r"勤務・?賃金設定", "勤務・賃金設定が見つかりません。"),
        Sign("E6", r"給与方式", "給与方式は月給を選択してください"),
        Sign("E6", r"フレックス", "フレックスタイム制では月給以外を指定できません"),
        NUMBER_TAKEN,
        Sign("E12", r"給与明細[^。]*確定", "給与明細が確定していません。"),
        Sign("E11", r"(差引支給額|支給合計|控除合計)", "差引支給額の項目がありません。"),
        *OF_ITEMS,
    ),
)
# fmt: on


def recognise(*, status: int, text: str, step: Step | None = None) -> str:
    """The catalogue code of freee's refusal.

    `text`: the answer's messages, types and codes joined by blanks, "" when the body could not be read. `step`: the
    request that was refused, None for reads.
    """
    if known := FREEE.stable_code(text):
        return known
    return _forbidden(text, step) if status == 403 else FREEE.code_by_status(status, text)


def _forbidden(text: str, step: Step | None) -> str:
    """The code of a 403: missing rights, or the short-time throttle, which has no text."""
    if not text.strip():
        return "throttled"
    known = FREEE.code_of_text(text)
    return known if known == "E3" or (known == "E14" and step in _PAYROLL_ONLY) else "E19"
