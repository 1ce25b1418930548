"""The stable codes of our HTTP errors: status, short title and default text, as RFC 9457 problem documents use them.

The texts stand in `app/web/texts/ja/problems.toml`, in Japanese only: programs read the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.web.i18n import DEFAULT, catalogue


@dataclass(frozen=True)
class ProblemKind:
    """One code: `title` names the kind, `detail` says what to do about it (used when nothing more exact is known). The
    texts are read when one is asked for, so that what serves a connection need not read them to start."""

    code: str
    status: int

    @property
    def title(self) -> str:
        return catalogue(DEFAULT)[f"problems.{self.code}.title"]

    @property
    def detail(self) -> str:
        text = catalogue(DEFAULT)[f"problems.{self.code}.detail"]
        for place, number in _NUMBERS.items():
            text = text.replace(place, number)
        return text


MAX_BODY_BYTES = 1_000_000
FIRST_YEAR, LAST_YEAR = 2000, 2099
"""The years in which an as-of date may lie, so that the payroll months around it can be calculated."""
_NUMBERS = {"{most_bytes}": f"{MAX_BODY_BYTES:,}", "{first_year}": str(FIRST_YEAR), "{last_year}": str(LAST_YEAR)}


def _kinds(codes: str, status: int) -> dict[str, ProblemKind]:
    return {code: ProblemKind(code, status) for code in codes.split()}


FIELD_PROBLEMS: Mapping[str, ProblemKind] = _kinds(
    """
    missing_field unknown_field null_field invalid_body invalid_text invalid_connection invalid_direction
    invalid_date invalid_shown invalid_employees empty_employees invalid_employee_number invalid_overwrite
    invalid_boolean invalid_limit invalid_after invalid_state invalid_delivery_state invalid_instant
    invalid_replay_limit invalid_idempotency_key invalid_request
    """,
    422,
)

REFUSALS: Mapping[str, ProblemKind] = {
    **_kinds("accounts_scope_missing second_person_no_user", 403),
    **_kinds("run_not_found delivery_not_found unknown_connection", 404),
    **_kinds(
        """
        nothing_to_replay idempotency_conflict survey_open compare_first needs_consent connection_paused
        export_settings_incomplete not_previewed shown_otherwise mass_change second_person_expired run_not_finished
        nothing_to_retry nothing_to_undo undo_open values_erased run_finished
        """,
        409,
    ),
    **_kinds(
        """
        replay_needs_since nobody_chosen not_held not_waiting as_of_date_out_of_range no_employees
        too_many_employees blank_employee_number duplicate_employee_number unknown_employee_number
        """,
        422,
    ),
    **_kinds("database_unavailable house_rests queue_unavailable", 503),
}
"""What the use cases refuse; the text of a refusal itself says more. A test compares this list with their code."""

PROBLEMS: Mapping[str, ProblemKind] = {
    **FIELD_PROBLEMS,
    **REFUSALS,
    **_kinds("bad_request invalid_json", 400),
    **_kinds("unauthorized webhook_unauthorized", 401),
    **_kinds("insufficient_scope", 403),
    **_kinds("not_found", 404),
    **_kinds("method_not_allowed", 405),
    **_kinds("conflict", 409),
    **_kinds("body_too_large", 413),
    **_kinds("unsupported_media_type", 415),
    **_kinds("too_many_failures", 429),
    **_kinds("internal_error", 500),
    **_kinds("stored_value_locked unavailable", 503),
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
