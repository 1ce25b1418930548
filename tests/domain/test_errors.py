"""What the errors carry: a code, a text without personal values, and what happens next."""

from __future__ import annotations

from app.domain.errors import ItemError, Refused, RunError, Sentence, TemporaryError


def test_an_error_is_written_with_its_code_and_detail() -> None:
    error = ItemError("E16", "gender")
    assert (str(error), error.code, error.detail) == ("E16: gender", "E16", "gender")
    assert (str(ItemError("E16")), ItemError("E16").detail) == ("E16", "")


def test_a_temporary_error_counts_and_closes_nothing_unless_it_says_so() -> None:
    plain = TemporaryError("E22", "502")
    assert (str(plain), plain.retry_after) == ("E22: 502", None)
    assert (plain.counts, plain.closes_connection, plain.outcome_unknown) == (True, False, False)
    limit = TemporaryError("E21", retry_after=3.0, counts=False, closes_connection=True, outcome_unknown=True)
    assert (str(limit), limit.detail, limit.retry_after) == ("E21", "", 3.0)
    assert (limit.counts, limit.closes_connection, limit.outcome_unknown) == (False, True, True)


def test_a_run_error_needs_no_consent_unless_it_says_so() -> None:
    assert not RunError("E18", "401").needs_consent
    assert (str(RunError("E18", "401")), RunError("E18").detail) == ("E18: 401", "")
    assert RunError("needs_consent", needs_consent=True).needs_consent


def test_a_refusal_has_words_a_status_and_the_fields_that_are_wrong() -> None:
    refused = Refused("unknown_run", run="7")
    assert (refused.code, refused.status, refused.fields) == ("unknown_run", 422, {})
    assert refused.told == Sentence("refusals.unknown_run", run="7") and str(refused) == "unknown_run"
    wrong = Refused("not_valid.early", status=409, fields={"date": Sentence("fields.until"), "run": "7"})
    assert (wrong.code, wrong.told, wrong.status) == ("not_valid", Sentence("refusals.not_valid.early"), 409)
    assert wrong.fields == {"date": Sentence("fields.until"), "run": "7"}


def test_a_field_without_a_reason_of_its_own_has_that_of_the_refusal() -> None:
    refused = Refused("not_valid", fields=("date", "run"), most=3)
    assert refused.fields == dict.fromkeys(("date", "run"), Sentence("refusals.not_valid", most=3))
    other = Refused("smarthr_E18", told=Sentence("causes.E18"), fields=("token",))
    assert (other.code, other.told, other.fields) == (
        "smarthr_E18",
        Sentence("causes.E18"),
        {"token": Sentence("causes.E18")},
    )
