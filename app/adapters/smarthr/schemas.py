"""SmartHR's answers, as far as Awase uses them: all fields but ids may be null, types are exact, other names dropped.

Values stay as SmartHR writes them (dates are text), because a survey keeps records as JSON between its pages. A name
that is missing in the answer stays missing, because a null may be a blank, and what is absent is not known.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from app.adapters.quick_schema import QuickSchema
from app.adapters.records import OneRecord, Records, check_text, kept_fields
from app.adapters.smarthr.webhook import EVENTS
from app.domain.mapping import FIELDS
from app.domain.reading import attribute_of
from app.domain.runs.dates import JAPAN
from app.domain.vendors.ids import is_id


class _Answer(Schema):
    class Meta:
        unknown = EXCLUDE


def _text() -> fields.String:
    return fields.String(allow_none=True, validate=check_text)


def _whole_number() -> fields.Integer:
    return fields.Integer(strict=True, allow_none=True)


def _yes_no() -> fields.Boolean:
    return fields.Boolean(allow_none=True, truthy={True}, falsy={False})


def _check_id(text: str) -> None:
    """Raises ValidationError for text that could not stand in the path of a later call."""
    if not is_id(text):
        raise ValidationError("not an id")


def _id() -> fields.String:
    return fields.String(required=True, validate=_check_id)


class AddressSchema(_Answer):
    country_number = _text()
    zip_code = _text()
    pref = _text()
    city = _text()
    street = _text()
    building = _text()
    literal_yomi = _text()


class PositionSchema(_Answer):
    name = _text()
    rank = _whole_number()


class BankAccountSchema(_Answer):
    """Leaves out `bankbook_image`, because SmartHR does not take back what it shows, and its URL lives 180 seconds."""

    bank_code = _text()
    bank_branch_code = _text()
    account_type = _text()
    account_number = _text()
    account_holder_name = _text()
    transfer_type = _text()
    specified_transfer_amount = _whole_number()
    transfer_category = _text()
    bank_account_setting_id = _text()


class EmploymentTypeSchema(_Answer):
    name = _text()


class CrewSchema(_Answer):
    """従業員, without マイナンバー (the API has none) and without attributes that the two systems do not exchange."""

    id = _id()
    created_at = _text()
    emp_code = _text()
    emp_status = _text()
    employment_type = fields.Nested(EmploymentTypeSchema, allow_none=True)
    last_name = _text()
    first_name = _text()
    last_name_yomi = _text()
    first_name_yomi = _text()
    birth_at = _text()
    gender = _text()
    tel_number = _text()
    address = fields.Nested(AddressSchema, allow_none=True)
    resident_card_address = fields.Nested(AddressSchema, allow_none=True)
    # Slots may be empty: SmartHR then shows null in the list.
    positions = fields.List(fields.Nested(PositionSchema, allow_none=True), allow_none=True)
    position = _text()
    entered_at = _text()
    resigned_at = _text()
    having_spouse = _yes_no()
    working_student_flag = _yes_no()
    widow_type = _text()
    handicapped_type = _text()
    bank_accounts = fields.List(fields.Nested(BankAccountSchema, allow_none=True), allow_none=True)
    emp_ins_insured_person_number = _text()
    basic_pension_number = _text()
    hel_ins_insured_person_number = _whole_number()
    soc_ins_insured_person_number = _whole_number()
    monthly_standard_income_hel = _whole_number()
    monthly_standard_income_pns = _whole_number()


class JobTitleSchema(_Answer):
    id = _id()
    name = _text()
    rank = _whole_number()


class _Moment(fields.Field[datetime]):
    """An instant in UTC. The contract calls `disabled_at` a date and describes it as a moment, so this reads both; a
    value without a zone is Japan's time."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=JAPAN)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise ValidationError("not a moment") from None


class _WebhookFields(_Answer):
    """A registration without its event switches; SmartHR does not let `secret_token` be read."""

    id = _id()
    url = _text()
    expose_only_id = _yes_no()
    disabled_at = _Moment(allow_none=True)


WebhookSchema = _WebhookFields.from_dict({event: _yes_no() for event in EVENTS}, name="WebhookSchema")
"""Webhook: a registration, with one switch per event."""


def crew_fields() -> tuple[str, ...]:
    """The attributes that an answer has to hold: those FIELDS reads, id and 社員番号, 在籍状況, 雇用形態, which may
    choose the export settings, and since when SmartHR has the employee, which tells whether a list has moved."""
    paths = (path for row in FIELDS for path in (*row.smarthr.paths, *row.smarthr.beside))
    return ("id", *sorted({"created_at", "emp_status", "emp_code", "employment_type", *map(attribute_of, paths)}))


_WHO = kept_fields(
    *("id", "created_at", "emp_code", "last_name", "first_name", "last_name_yomi", "first_name_yomi"),
    *("birth_at", "entered_at", "resigned_at"),
)
WRITTEN_CREW = QuickSchema(CrewSchema())
ONE_CREW = OneRecord(WRITTEN_CREW.schema, _WHO)
CREWS = Records(WRITTEN_CREW.schema, _WHO)
JOB_TITLES = Records(JobTitleSchema(), kept_fields())
WEBHOOKS = Records(WebhookSchema(), kept_fields("id", "url"))
"""Readers of answers: a record that cannot be read keeps who or what it is, and the paths of its odd fields."""

CrewRecord = dict[str, Any]
WebhookRecord = dict[str, Any]
