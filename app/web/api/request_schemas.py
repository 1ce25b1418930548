"""What our own API takes. Error messages are codes of `problems.FIELD_PROBLEMS`; `errors` turns them into Japanese."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from marshmallow import RAISE, Schema, fields

from app.domain.enums import Direction
from app.domain.mapping import BY_KEY
from app.domain.runs.run_state import ItemState
from app.use_cases.intake.start_run import MAX_NUMBERS
from app.use_cases.shared.views import DeliveryState
from app.web.http.problems import FIRST_YEAR, LAST_YEAR

T = TypeVar("T")

MAX_NUMBER_LENGTH = 100
_PRINTABLE = r"[^\x00-\x1f\x7f\ud800-\udfff]"
_NUMBER = re.compile(rf"{_PRINTABLE}{{1,{MAX_NUMBER_LENGTH}}}")
_WHOLE = re.compile(r"[0-9]{1,18}")
_BASE = {"required": "missing_field", "null": "null_field", "validator_failed": "invalid_text"}


class RequestSchema(Schema):
    """Unknown fields are refused: a misspelt name must not be read as "not given"."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "unknown_field", "type": "invalid_body"}  # noqa: RUF012 (marshmallow's own form)


def _messages(code: str) -> dict[str, Any]:
    return {**_BASE, "invalid": code}


class _Checked(fields.Field[T]):
    """A field that says what is wrong by a code. `described`: what the document says of it besides its own metadata."""

    def __init__(self, code: str, described: Mapping[str, Any], **kwargs: Any) -> None:
        metadata = {**described, **kwargs.pop("metadata", {})}
        super().__init__(error_messages=_messages(code), metadata=metadata, **kwargs)


class PatternText(_Checked[str]):
    """A text that has to match `pattern` as a whole."""

    def __init__(self, pattern: str, *, code: str, example: str, **kwargs: Any) -> None:
        super().__init__(code, {"type": "string", "pattern": f"^{pattern}$", "example": example}, **kwargs)
        self._pattern = re.compile(pattern)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            raise self.make_error("invalid")
        return value


class CalendarDate(_Checked[date]):
    """`YYYY-MM-DD` and nothing else of ISO 8601, in years the payroll calendar knows."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("invalid_date", {"type": "string", "format": "date", "example": "2026-11-22"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise self.make_error("invalid")
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("invalid") from error
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise self.make_error("invalid")
        return day


class Choice(_Checked[Any]):
    """One value of a closed list."""

    def __init__(
        self, choices: type[Direction] | type[ItemState] | type[DeliveryState], *, code: str, **kwargs: Any
    ) -> None:
        super().__init__(code, {"type": "string", "enum": [str(c) for c in choices]}, **kwargs)
        self._choices = choices

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> Direction | ItemState | DeliveryState:
        if not isinstance(value, str) or value not in list(self._choices):
            raise self.make_error("invalid")
        return self._choices(value)


class Switch(_Checked[bool]):
    """true or false, not "true" and not 1: a dry run must never start because of a guess."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("invalid_boolean", {"type": "boolean"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Moment(_Checked[datetime]):
    """An instant with its zone (RFC 3339), in years the payroll calendar knows."""

    def __init__(self, **kwargs: Any) -> None:
        described = {"type": "string", "format": "date-time", "example": "2026-11-22T09:00:00+09:00"}
        super().__init__("invalid_instant", described, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None
            aware = moment is not None and datetime.fromisoformat(value).tzinfo is not None
        except (ValueError, OverflowError) as error:
            raise self.make_error("invalid") from error
        if moment is None or not aware or not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise self.make_error("invalid")
        return moment


class Flag(Switch):
    """`true` or `false` of a query string."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid")
        return bool(value == "true")


class Number(_Checked[int]):
    """A whole number of a body, between two bounds."""

    def __init__(self, low: int, high: int, *, code: str, **kwargs: Any) -> None:
        super().__init__(code, {"type": "integer", "minimum": low, "maximum": high}, **kwargs)
        self._low, self._high = low, high

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self._low <= value <= self._high:
            raise self.make_error("invalid")
        return value


class Whole(Number):
    """A whole number of a query string, between two bounds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not _WHOLE.fullmatch(value) or not self._low <= int(value) <= self._high:
            raise self.make_error("invalid")
        return int(value)


class Employees(fields.Field[Any]):
    """`"all"` → None; a list of employee numbers → a tuple. The use case checks how many numbers, and which."""

    def __init__(self, **kwargs: Any) -> None:
        number = {"type": "string", "minLength": 1, "maxLength": MAX_NUMBER_LENGTH}
        listed = {"type": "array", "items": number, "minItems": 1, "maxItems": MAX_NUMBERS}
        metadata = {
            "oneOf": [{"type": "string", "enum": ["all"]}, listed],
            "example": ["0001", "0002"],
            "description": '基準日に在籍する全員なら "all"、そうでなければ従業員番号の配列',
            **kwargs.pop("metadata", {}),
        }
        messages = {**_messages("invalid_employees"), "empty": "empty_employees", "number": "invalid_employee_number"}
        super().__init__(error_messages=messages, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...] | None:
        if value == "all":
            return None
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not value:
            raise self.make_error("empty")
        if not all(isinstance(number, str) and _NUMBER.fullmatch(number) for number in value):
            raise self.make_error("number")
        return tuple(value)


class Overwrite(_Checked[Any]):
    """`[{"employee_number": …, "items": [key, …]}]` → {number: keys}. The use case checks what is held."""

    def __init__(self, **kwargs: Any) -> None:
        number = {"type": "string", "minLength": 1, "maxLength": MAX_NUMBER_LENGTH}
        keys = {"type": "array", "items": {"type": "string", "enum": list(BY_KEY)}, "minItems": 1, "uniqueItems": True}
        one = {
            "type": "object",
            "properties": {"employee_number": number, "items": keys},
            "required": ["employee_number", "items"],
            "additionalProperties": False,
        }
        super().__init__("invalid_overwrite", {"type": "array", "items": one, "maxItems": MAX_NUMBERS}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, frozenset[str]]:
        if not isinstance(value, list) or len(value) > MAX_NUMBERS or not all(map(_is_overwrite, value)):
            raise self.make_error("invalid")
        found: dict[str, frozenset[str]] = {}
        for each in value:
            number = each["employee_number"]
            found[number] = found.get(number, frozenset()) | frozenset(each["items"])
        return found


def _is_overwrite(each: Any) -> bool:
    if not isinstance(each, dict) or set(each) != {"employee_number", "items"}:
        return False
    number, items = each["employee_number"], each["items"]
    if not isinstance(number, str) or not _NUMBER.fullmatch(number) or not isinstance(items, list) or not items:
        return False
    return all(isinstance(key, str) and key in BY_KEY for key in items) and len(set(items)) == len(items)


def connection_field(**kwargs: Any) -> PatternText:
    return PatternText(
        r"[A-Za-z0-9_-]{1,64}",
        code="invalid_connection",
        example="renshu",
        metadata={"description": "接続キー(flask connection list に出ます)"},
        **kwargs,
    )


def _acknowledge(description: str) -> Switch:
    return Switch(load_default=False, metadata={"description": description, "default": False})


class StartRunSchema(RequestSchema):
    connection = connection_field(required=True)
    direction = Choice(Direction, code="invalid_direction", required=True, metadata={"example": "smarthr_to_freee"})
    as_of_date = CalendarDate(required=True, metadata={"description": "情報取得基準日(日本の暦日)"})
    employees = Employees(required=True)
    dry_run = Switch(
        load_default=False,
        metadata={"description": "true なら差分の確認で止まり、承認されるまで何も書き込みません", "default": False},
    )
    acknowledge_mass_change = _acknowledge("一度に多くの人が変わっても、確認を待たずに書き込みます")


class ApproveSchema(RequestSchema):
    employees = Employees(
        metadata={"description": '書き込む従業員番号。省略するか "all" なら、確認で選ばれている全員'},
    )
    acknowledge_mass_change = _acknowledge("一度に多くの人が変わることを確かめたうえで承認します")
    shown = PatternText(
        r"[0-9T:.+-]{10,40}",
        code="invalid_shown",
        example="2026-11-22T01:23:45.678901+00:00",
        metadata={"description": "内容を見たときの実行の surveyed_at。その後に計画が変わっていれば承認しません"},
    )
    overwrite = Overwrite(
        metadata={
            "description": "state が held の項目のうち、反映先の値を書き換えてよいもの。"
            "口座と住所は一部を指定しても全体になります。省略すると、画面でチェックした項目だけです",
        },
    )


class NothingSchema(RequestSchema):
    """A body without a field: these operations concern the whole run, so a caller cannot choose a part of it."""


class IdempotencySchema(Schema):
    idempotency_key = PatternText(
        r"[\x21-\x7e]{1,255}",
        code="invalid_idempotency_key",
        example="hr-batch-2026-11-22",
        data_key="Idempotency-Key",
        metadata={"description": "同じ鍵の再送は新しい実行を作らず、最初の実行を返します", "maxLength": 255},
    )


class PageSchema(RequestSchema):
    limit = Whole(1, 100, code="invalid_limit", load_default=50, metadata={"default": 50, "description": "最大件数"})
    after = Whole(0, 10**18 - 1, code="invalid_after", metadata={"description": "前の応答の next_after"})


class RunListSchema(PageSchema):
    connection = connection_field()


class ItemListSchema(PageSchema):
    state = Choice(ItemState, code="invalid_state", metadata={"description": "この状態だけ"})


class OfferedQuerySchema(RequestSchema):
    connection = connection_field(required=True)
    direction = Choice(Direction, code="invalid_direction", required=True)
    as_of_date = CalendarDate(required=True)
    employee_number = PatternText(
        rf"{_PRINTABLE}{{1,{MAX_NUMBER_LENGTH}}}",
        code="invalid_employee_number",
        example="0001",
        metadata={"description": "この番号の従業員だけ。大きな会社では、全員を読み取らずに済みます"},
    )


_SINCE = {"description": "この時刻以後に届いたもの"}
_UNTIL = {"description": "この時刻より前に届いたもの"}
_FAILED = {"description": "true なら、従業員の処理がよく終わらなかったものだけ", "default": False}


class DeliveryListSchema(PageSchema):
    connection = connection_field()
    state = Choice(DeliveryState, code="invalid_delivery_state", metadata={"description": "この扱いのものだけ"})
    since = Moment(metadata=_SINCE)
    until = Moment(metadata=_UNTIL)
    failed = Flag(load_default=False, metadata=_FAILED)


class ReplayRangeSchema(RequestSchema):
    connection = connection_field()
    since = Moment(metadata={"description": f"{_SINCE['description']}。failed が true なら省略できます"})
    until = Moment(metadata=_UNTIL)
    failed = Switch(load_default=False, metadata=_FAILED)
    limit = Number(
        1, 10_000, code="invalid_replay_limit", load_default=1000, metadata={"default": 1000, "description": "最大件数"}
    )
    after = Number(0, 10**18 - 1, code="invalid_after", metadata={"description": "前の応答の next_after"})
