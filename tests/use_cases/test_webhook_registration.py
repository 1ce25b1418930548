"""The registration at the practice SmartHR over real HTTP: made once, found again, its secret changed without a gap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.adapters.smarthr.webhook import EVENTS
from app.domain.errors import AwaseError, Refused, RunError, TemporaryError
from app.factory import create_app
from app.storage.automatic.rows import WebhookRegistrationRow
from app.storage.enums import WebhookState
from app.use_cases.connections import webhook_registration as registration
from app.web.i18n import wording
from tests.house import KEY, House

ADDRESS = f"http://awase.test/webhooks/smarthr/{KEY}"
CALL = "/webhooks"
LOST = {"cut": "silent"}


def kept(house: House) -> WebhookRegistrationRow:
    found = stored(house)
    assert found is not None
    return found


def stored(house: House) -> WebhookRegistrationRow | None:
    with house.ctx.unit_of_work() as uow:
        return uow.webhook_registrations.get(house.connection.id)


def swept_at(house: House) -> datetime | None:
    with house.ctx.unit_of_work() as uow:
        return uow.sweeps.get(house.connection.id).started_at


def there(house: House) -> list[dict[str, Any]]:
    """The registrations as SmartHR keeps them, secrets included."""
    return list(house.smarthr.state.webhooks.values())


def change(house: House, **values: Any) -> None:
    """Somebody changes the one registration on SmartHR's screen."""
    (one,) = there(house)
    one.update(values)


def checked(house: House) -> registration.WebhookCheck:
    return registration.check_webhook(house.ctx, house.connection)


def writes(house: House) -> list[str]:
    return [seen.method for seen in house.smarthr_injector.requests if CALL in seen.path and seen.method != "GET"]


# ── registering ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_registration_hears_everything_and_tells_ids_only(house: House) -> None:
    assert registration.register_webhook(house.ctx, KEY).ok
    (one,) = there(house)
    assert one["url"] == ADDRESS
    assert {event for event in EVENTS if one[event]} == set(EVENTS)
    assert one["expose_only_id"] is True
    assert one["disabled_at"] is None
    row = kept(house)
    assert row.secret == one["secret_token"] and len(row.secret) >= 40
    assert (row.vendor_id, row.state, row.checked_at) == (one["id"], WebhookState.OK, house.clock.now())


def test_a_second_call_repairs_and_does_not_double(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    secret = kept(house).secret
    change(house, crew_deleted=False, expose_only_id=False)
    assert registration.register_webhook(house.ctx, KEY).ok
    (one,) = there(house)
    assert one["crew_deleted"] and one["expose_only_id"] and one["secret_token"] == secret
    assert kept(house).secret == secret


def test_one_of_ours_that_the_database_has_forgotten_is_found_by_its_address(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    with house.ctx.unit_of_work() as uow:
        uow.webhook_registrations.drop_secret(house.connection.id)
    registration.register_webhook(house.ctx, KEY)
    (one,) = there(house)
    assert kept(house).secret == one["secret_token"]


def test_ours_is_found_behind_a_page_of_others_and_those_stay(house: House) -> None:
    registry = house.ctx.webhook_registry(house.connection)
    for number in range(105):
        registry.register(url=f"https://other.example/{number}", secret="x", description="")
    registration.register_webhook(house.ctx, KEY)
    registration.register_webhook(house.ctx, KEY)
    assert sum(each["url"] == ADDRESS for each in there(house)) == 1
    assert len(there(house)) == 106
    assert checked(house).ok


def test_doubles_of_our_address_go(house: House) -> None:
    registry = house.ctx.webhook_registry(house.connection)
    for _ in range(2):
        registry.register(url=ADDRESS, secret="x", description="")
    registration.register_webhook(house.ctx, KEY)
    (one,) = there(house)
    assert one["id"] == kept(house).vendor_id


def test_a_lost_answer_that_was_carried_out_is_found(house: House) -> None:
    house.smarthr_injector.fault(method="POST", path=CALL, times=1, after=True)
    assert registration.register_webhook(house.ctx, KEY).ok
    (one,) = there(house)
    assert (kept(house).vendor_id, kept(house).secret) == (one["id"], one["secret_token"])
    assert writes(house) == ["POST"]


def test_a_late_answer_is_waited_for(house: House) -> None:
    house.smarthr_injector.fault(method="POST", path=CALL, times=1, delay=0.3)
    assert registration.register_webhook(house.ctx, KEY).ok
    assert writes(house) == ["POST"]


def test_a_post_that_is_carried_out_long_after_its_answer_was_lost_is_adopted_with_its_secret(house: House) -> None:
    house.smarthr_injector.fault(method="POST", path=CALL, times=1, **LOST)
    with pytest.raises(Refused) as caught:
        registration.register_webhook(house.ctx, KEY)
    assert caught.value.code == "webhook_unsure"
    secret = kept(house).secret
    assert checked(house).state is WebhookState.NONE
    registry = house.ctx.webhook_registry(house.connection)
    registry.register(url=ADDRESS, secret=secret, description="")
    assert checked(house).ok
    assert registration.register_webhook(house.ctx, KEY).ok
    (one,) = there(house)
    assert one["secret_token"] == secret == kept(house).secret


def test_when_even_the_look_up_is_lost_the_secret_stays(house: House) -> None:
    house.smarthr_injector.fault(method="POST", path=CALL, times=1, after=True)
    house.smarthr_injector.fault(method="GET", path=CALL, nth=2, times=3, **LOST)
    with pytest.raises(Refused):
        registration.register_webhook(house.ctx, KEY)
    (one,) = there(house)
    assert kept(house).secret == one["secret_token"]
    assert registration.register_webhook(house.ctx, KEY).ok
    assert len(there(house)) == 1


REFUSALS = [
    ({"status": 401, "body": {"code": 2, "type": "unauthorized_token", "message": "x", "errors": None}}, RunError),
    ({"status": 403, "body": {"code": 3, "type": "forbidden", "message": "x", "errors": None}}, RunError),
    ({"status": 429, "body": {}}, TemporaryError),
]


@pytest.mark.parametrize(("answer", "kind"), REFUSALS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refusal_leaves_nothing_behind(
    house: House, method: str, answer: dict[str, Any], kind: type[AwaseError]
) -> None:
    house.smarthr_injector.fault(method=method, path=CALL, **answer)
    with pytest.raises(kind):
        registration.register_webhook(house.ctx, KEY)
    assert stored(house) is None
    assert there(house) == []


def test_a_500_may_have_been_carried_out_so_the_secret_stays(house: House) -> None:
    house.smarthr_injector.fault(method="POST", path=CALL, times=1, status=500)
    with pytest.raises(Refused) as caught:
        registration.register_webhook(house.ctx, KEY)
    assert caught.value.status == 503
    assert kept(house).state is WebhookState.NONE
    assert registration.register_webhook(house.ctx, KEY).ok


def test_smarthrs_own_reason_is_shown(house: House) -> None:
    reason = "URLはプライベートネットワークのアドレスを指定できません。"
    error = {"message": reason, "resource": "Webhook", "field": "url"}
    body = {"code": 1, "type": "bad_request", "message": "x", "errors": [error]}
    house.smarthr_injector.fault(method="POST", path=CALL, status=400, body=body)
    with pytest.raises(Refused) as caught:
        registration.register_webhook(house.ctx, KEY)
    assert reason in wording("ja").refusal(caught.value)
    assert stored(house) is None


def test_an_unknown_connection(house: House) -> None:
    for work in (
        registration.register_webhook,
        registration.repair_webhook,
        registration.rotate_webhook_secret,
        registration.remove_webhook,
    ):
        with pytest.raises(Refused) as caught:
            work(house.ctx, "nobody")
        assert caught.value.code == "unknown_connection"


# ── checking, repairing, removing ─────────────────────────────────────────────────────────────────────────────────────

BEFORE = datetime(2026, 11, 10, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, WebhookState.OK),
        ({"disabled_at": "2026-11-10T01:02:03.000Z"}, WebhookState.DISABLED),
        ({"disabled_at": "2026-11-10T10:02:03"}, WebhookState.DISABLED),
        ({"dependent_imported": False}, WebhookState.CHANGED),
        ({"crew_updated": None}, WebhookState.CHANGED),
        ({"expose_only_id": False}, WebhookState.CHANGED),
        ({"url": "https://elsewhere.example/"}, WebhookState.CHANGED),
    ],
)
def test_what_a_check_finds_and_a_repair_mends(house: House, values: dict[str, Any], state: WebhookState) -> None:
    registration.register_webhook(house.ctx, KEY)
    change(house, **values)
    house.clock.turn(minutes=5)
    found = checked(house)
    assert found.state is state
    assert found.disabled_at == (BEFORE if "disabled_at" in values else None)
    row = kept(house)
    assert (row.state, row.disabled_at, row.checked_at) == (state, found.disabled_at, house.clock.now())
    assert registration.repair_webhook(house.ctx, KEY).ok
    (one,) = there(house)
    assert (one["id"], one["url"], one["disabled_at"]) == (row.vendor_id, ADDRESS, None)
    assert checked(house).ok


def test_after_a_repair_both_sides_are_compared_as_a_whole(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    with house.ctx.unit_of_work() as uow:
        uow.sweeps.started(house.connection.id, house.clock.now())
    registration.repair_webhook(house.ctx, KEY)
    assert swept_at(house) == house.clock.now()  # it was in order: nothing can have been missed
    change(house, disabled_at="2026-11-10T01:02:03.000Z")
    registration.repair_webhook(house.ctx, KEY)
    assert swept_at(house) is None


def test_a_disabled_date_without_a_time_is_a_day_in_japan(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    change(house, disabled_at="2026-11-10")
    assert checked(house).disabled_at == datetime(2026, 11, 9, 15, tzinfo=UTC)


def test_a_moment_nobody_can_read_changes_nothing(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    change(house, disabled_at="yesterday")
    with pytest.raises(TemporaryError) as caught:
        checked(house)
    assert caught.value.code == "unreadable_answer"
    assert kept(house).state is WebhookState.OK


def test_a_deleted_one_is_missing_and_made_anew(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    first = kept(house)
    house.smarthr.state.webhooks.clear()
    assert checked(house).state is WebhookState.MISSING
    assert kept(house).state is WebhookState.MISSING
    assert registration.repair_webhook(house.ctx, KEY).ok
    assert kept(house).vendor_id != first.vendor_id
    assert kept(house).secret == first.secret


def test_one_that_cannot_be_switched_on_again_is_replaced(house: House) -> None:
    """That null in `disabled_at` switches it on is presumed, not documented."""
    registration.register_webhook(house.ctx, KEY)
    change(house, disabled_at="2026-11-10T01:02:03.000Z")
    (one,) = there(house)
    still = {name: value for name, value in one.items() if name != "secret_token"}
    house.smarthr_injector.fault(method="PATCH", path=CALL, times=1, status=200, body=still)
    assert registration.repair_webhook(house.ctx, KEY).ok
    (new,) = there(house)
    assert new["id"] == kept(house).vendor_id != one["id"]
    assert new["secret_token"] == kept(house).secret


def test_what_was_never_registered_asks_nobody(house: House) -> None:
    before = house.calls()
    assert checked(house).state is WebhookState.NONE
    assert house.calls() == before
    for work in (registration.repair_webhook, registration.rotate_webhook_secret, registration.remove_webhook):
        with pytest.raises(Refused) as caught:
            work(house.ctx, KEY)
        assert caught.value.code == "webhook_unregistered"


def test_a_removed_one_is_gone_on_both_sides(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    registration.rotate_webhook_secret(house.ctx, KEY)
    assert registration.remove_webhook(house.ctx, KEY) == 1
    assert there(house) == []
    assert stored(house) is None
    assert checked(house).state is WebhookState.NONE


def test_one_that_could_not_be_removed_is_still_known(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    house.smarthr_injector.fault(method="DELETE", path=CALL, status=500, times=1)
    with pytest.raises(TemporaryError):
        registration.remove_webhook(house.ctx, KEY)
    assert checked(house).ok
    assert registration.remove_webhook(house.ctx, KEY) == 1


# ── a new secret ──────────────────────────────────────────────────────────────────────────────────────────────────────

Deliver = Callable[[str], int]


@pytest.fixture
def deliver(house: House) -> Deliver:
    """`deliver(secret)` → the status of a delivery that comes with it."""
    client: FlaskClient = create_app(house.ctx).test_client()

    def post(secret: str) -> int:
        house.clock.turn(seconds=5)  # what the web process remembers of a sender is that old by then
        body = {"event": "crew_updated", "triggered_at": house.clock.now().isoformat(), "crew": {"id": "somebody"}}
        return client.post(f"/webhooks/smarthr/{KEY}", json=body, headers={"X-SmartHR-Token": secret}).status_code

    return post


def test_the_former_secret_is_good_for_a_day_and_no_longer(house: House, deliver: Deliver) -> None:
    registration.register_webhook(house.ctx, KEY)
    former = kept(house).secret
    assert deliver(former) == 202
    until = registration.rotate_webhook_secret(house.ctx, KEY)
    (one,) = there(house)
    assert one["secret_token"] == kept(house).secret != former
    assert until == house.clock.now() + timedelta(hours=24)
    assert (deliver(one["secret_token"]), deliver(former), deliver("neither")) == (202, 202, 401)
    house.clock.turn(hours=23, minutes=59)
    assert deliver(former) == 202
    house.clock.turn(minutes=1)
    assert (deliver(former), deliver(one["secret_token"])) == (401, 202)


@pytest.mark.parametrize("status", [401, 403, 400, 404])
def test_when_the_new_secret_is_refused_the_former_stays(house: House, deliver: Deliver, status: int) -> None:
    registration.register_webhook(house.ctx, KEY)
    former = kept(house)
    word = {401: (2, "unauthorized_token"), 403: (3, "forbidden"), 400: (1, "bad_request"), 404: (4, "not_found")}[
        status
    ]
    body = {"code": word[0], "type": word[1], "message": "だめです", "errors": None}
    house.smarthr_injector.fault(method="PATCH", path=CALL, status=status, body=body)
    with pytest.raises(AwaseError):
        registration.rotate_webhook_secret(house.ctx, KEY)
    assert kept(house) == former
    assert there(house)[0]["secret_token"] == former.secret
    assert deliver(former.secret) == 202


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404])
def test_a_refusal_that_is_not_smarthrs_own_leaves_both_secrets_good(
    house: House, deliver: Deliver, status: int
) -> None:
    registration.register_webhook(house.ctx, KEY)
    former = kept(house).secret
    house.smarthr_injector.fault(method="PATCH", path=CALL, status=status, body="<html>Forbidden</html>", after=True)
    with pytest.raises(Refused) as caught:
        registration.rotate_webhook_secret(house.ctx, KEY)
    assert caught.value.code == "webhook_unsure"
    assert deliver(there(house)[0]["secret_token"]) == 202
    assert (deliver(former), deliver(kept(house).secret)) == (202, 202)


def test_a_lost_answer_is_asked_for_once_more(house: House, deliver: Deliver) -> None:
    registration.register_webhook(house.ctx, KEY)
    former = kept(house).secret
    house.smarthr_injector.fault(method="PATCH", path=CALL, times=1, after=True)
    registration.rotate_webhook_secret(house.ctx, KEY)
    assert there(house)[0]["secret_token"] == kept(house).secret
    assert (deliver(kept(house).secret), deliver(former)) == (202, 202)


@pytest.mark.parametrize("carried_out", [True, False])
def test_while_nobody_knows_which_secret_smarthr_has_both_are_good(
    house: House, deliver: Deliver, carried_out: bool
) -> None:
    registration.register_webhook(house.ctx, KEY)
    former = kept(house).secret
    house.smarthr_injector.fault(method="PATCH", path=CALL, times=2, **({"after": True} if carried_out else LOST))
    with pytest.raises(Refused) as caught:
        registration.rotate_webhook_secret(house.ctx, KEY)
    assert caught.value.code == "webhook_unsure"
    there_now = there(house)[0]["secret_token"]
    assert (there_now == former) != carried_out
    assert (deliver(former), deliver(kept(house).secret)) == (202, 202)


def test_a_rotation_after_an_unsure_one_loses_no_secret_that_smarthr_may_have(house: House, deliver: Deliver) -> None:
    registration.register_webhook(house.ctx, KEY)
    house.smarthr_injector.fault(method="PATCH", path=CALL, times=2, **LOST)
    with pytest.raises(Refused):
        registration.rotate_webhook_secret(house.ctx, KEY)
    # Still away: SmartHR keeps the oldest secret, which therefore has to stay good.
    house.smarthr_injector.fault(method="PATCH", path=CALL, times=2, **LOST)
    with pytest.raises(Refused):
        registration.rotate_webhook_secret(house.ctx, KEY)
    assert deliver(there(house)[0]["secret_token"]) == 202
    registration.rotate_webhook_secret(house.ctx, KEY)
    assert there(house)[0]["secret_token"] == kept(house).secret
    assert deliver(kept(house).secret) == 202


def test_a_repair_settles_an_unsure_rotation(house: House, deliver: Deliver) -> None:
    registration.register_webhook(house.ctx, KEY)
    house.smarthr_injector.fault(method="PATCH", path=CALL, times=2, **LOST)
    with pytest.raises(Refused):
        registration.rotate_webhook_secret(house.ctx, KEY)
    assert registration.repair_webhook(house.ctx, KEY).ok
    house.clock.turn(hours=25)
    assert deliver(there(house)[0]["secret_token"]) == 202


def test_nothing_to_rotate_at_smarthr(house: House) -> None:
    registration.register_webhook(house.ctx, KEY)
    before = kept(house)
    house.smarthr.state.webhooks.clear()
    with pytest.raises(Refused) as caught:
        registration.rotate_webhook_secret(house.ctx, KEY)
    assert caught.value.code == "webhook_unregistered"
    assert kept(house) == before
