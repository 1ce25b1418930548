"""freee simulator: consent, tokens that work once, revocation, by a clock that is turned."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.practice.staff import practice_company
from app.practice.vendor_kit.fault_injection import BadSwitch
from tests.practice.freee_house import COMPANY, Caller

BACK = "http://127.0.0.1:9/callback"
HOUR = 3600
DAY = 24 * HOUR
CLIENT = {"client_id": practice_company.FREEE_CLIENT_ID, "client_secret": practice_company.FREEE_CLIENT_SECRET}


@pytest.fixture
def caller() -> Caller:
    return Caller()


def authorize(caller: Caller, **changes: Any) -> Any:
    query = {
        "response_type": "code",
        "client_id": practice_company.FREEE_CLIENT_ID,
        "redirect_uri": BACK,
        "state": "s t&1",
        "prompt": "select_company",
        **changes,
    }
    return caller.http.get("/public_api/authorize", query_string={k: v for k, v in query.items() if v is not None})


def sent_back(response: Any) -> dict[str, str]:
    assert response.status_code == 302
    target = urlsplit(response.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == BACK
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def code_of(caller: Caller, **changes: Any) -> str:
    return sent_back(authorize(caller, **changes))["code"]


def token(caller: Caller, **form: str) -> Any:
    return caller.http.post("/public_api/token", data={**CLIENT, **form})


def exchange(caller: Caller, code: str, **changes: str) -> Any:
    return token(caller, **{"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **changes})


def refresh(caller: Caller, refresh_token: str = practice_company.FREEE_REFRESH_TOKEN) -> Any:
    return token(caller, grant_type="refresh_token", refresh_token=refresh_token)


def works(caller: Caller, access: str) -> bool:
    caller.token = access
    caller.call("GET", "/api/v1/users/me")
    return caller.status == 200


def refused(response: Any) -> bool:
    return response.status_code == 401 and response.get_json()["error"] == "invalid_grant"


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_consent_comes_back_with_a_code_and_the_state(caller: Caller) -> None:
    back = sent_back(authorize(caller))
    assert back["state"] == "s t&1"
    assert back["code"]


def test_a_denial_comes_back_as_an_error(caller: Caller) -> None:
    back = sent_back(authorize(caller, deny="1"))
    assert (back["error"], back["state"]) == ("access_denied", "s t&1")
    assert "code" not in back


def test_a_callback_with_a_query_of_its_own_keeps_it(caller: Caller) -> None:
    back = sent_back(authorize(caller, redirect_uri=f"{BACK}?connection=7"))
    assert back["connection"] == "7"
    assert back["code"]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "other"},
        {"response_type": "token"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": None},
        {"code_challenge": "x", "code_challenge_method": "S512"},
    ],
)
def test_a_wrong_request_for_consent_goes_nowhere(caller: Caller, changes: dict[str, Any]) -> None:
    response = authorize(caller, **changes)
    assert response.status_code == 401
    assert "Location" not in response.headers


def test_out_of_band_shows_the_code(caller: Caller) -> None:
    out_of_band = "urn:ietf:wg:oauth:2.0:oob"
    page = authorize(caller, redirect_uri=out_of_band)
    assert page.status_code == 200
    code = page.text.split("<code>")[1].split("</code>")[0]
    assert exchange(caller, code, redirect_uri=out_of_band).status_code == 200


def test_the_page_asks_when_the_switch_says_so(caller: Caller) -> None:
    caller.switch("interactive", True)
    page = authorize(caller, state='"><script>')
    assert page.status_code == 200
    assert "許可する" in page.text
    assert "<script>" not in page.text
    links = [part.split('"')[0].replace("&amp;", "&") for part in page.text.split('href="')[1:]]
    allowed, denied = (caller.http.get(link) for link in links)
    assert sent_back(allowed)["code"]
    assert sent_back(allowed)["state"] == '"><script>'
    assert sent_back(denied)["error"] == "access_denied"


# ── a code for tokens ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_token_answer(caller: Caller) -> None:
    answer = exchange(caller, code_of(caller)).get_json()
    assert answer["company_id"] == str(COMPANY)
    assert answer["external_cid"] == practice_company.FREEE_EXTERNAL_CID
    assert answer["expires_in"] == 21_600
    assert answer["token_type"] == "bearer"
    assert answer["scope"] == "read write"
    assert answer["created_at"] == int(caller.clock())
    assert works(caller, answer["access_token"])


def test_a_code_works_once(caller: Caller) -> None:
    code = code_of(caller)
    assert exchange(caller, code).status_code == 200
    assert refused(exchange(caller, code))


def test_a_code_lives_ten_minutes(caller: Caller) -> None:
    young, old = code_of(caller), code_of(caller)
    caller.clock.turn(599)
    assert exchange(caller, young).status_code == 200
    caller.clock.turn(1)
    assert refused(exchange(caller, old))


def test_a_code_belongs_to_its_callback(caller: Caller) -> None:
    assert refused(exchange(caller, code_of(caller), redirect_uri="http://127.0.0.1:9/other"))


def test_an_invented_code_is_refused(caller: Caller) -> None:
    assert refused(exchange(caller, "invented"))


@pytest.mark.parametrize("method", ["S256", "plain"])
def test_the_verifier_is_checked_when_a_challenge_was_sent(caller: Caller, method: str) -> None:
    verifier = "v" * 43
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"code_challenge": digest if method == "S256" else verifier, "code_challenge_method": method}
    assert refused(exchange(caller, code_of(caller, **asked), code_verifier="w" * 43))
    assert refused(exchange(caller, code_of(caller, **asked)))
    assert exchange(caller, code_of(caller, **asked), code_verifier=verifier).status_code == 200


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"client_secret": "wrong"}, {"client_secret": ""}])
def test_the_client_must_prove_itself(caller: Caller, changes: dict[str, str]) -> None:
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": practice_company.FREEE_REFRESH_TOKEN, **changes}
    response = caller.http.post("/public_api/token", data=form)
    assert (response.status_code, response.get_json()["error"]) == (401, "invalid_client")
    assert refresh(caller).status_code == 200  # the token was not used up


def test_json_is_not_a_form(caller: Caller) -> None:
    body = {**CLIENT, "grant_type": "refresh_token", "refresh_token": practice_company.FREEE_REFRESH_TOKEN}
    assert caller.http.post("/public_api/token", json=body).status_code == 401


def test_other_grants_are_not_offered(caller: Caller) -> None:
    response = token(caller, grant_type="password")
    assert (response.status_code, response.get_json()["error"]) == (400, "unsupported_grant_type")


# ── refresh ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refresh_gives_a_new_pair_and_kills_the_old_one_at_once(caller: Caller) -> None:
    answer = refresh(caller).get_json()
    assert not works(caller, practice_company.FREEE_ACCESS_TOKEN)
    assert works(caller, answer["access_token"])
    assert answer["refresh_token"] != practice_company.FREEE_REFRESH_TOKEN


def test_a_refresh_token_works_once(caller: Caller) -> None:
    second = refresh(caller).get_json()["refresh_token"]
    assert refused(refresh(caller))
    assert refresh(caller, second).status_code == 200


def test_an_access_token_is_no_refresh_token(caller: Caller) -> None:
    assert refused(refresh(caller, practice_company.FREEE_ACCESS_TOKEN))
    assert not works(caller, practice_company.FREEE_REFRESH_TOKEN)


def test_an_access_token_lives_six_hours(caller: Caller) -> None:
    caller.clock.turn(6 * HOUR - 1)
    assert works(caller, practice_company.FREEE_ACCESS_TOKEN)
    caller.clock.turn(1)
    assert not works(caller, practice_company.FREEE_ACCESS_TOKEN)


def test_a_refresh_token_lives_ninety_days(caller: Caller) -> None:
    caller.clock.turn(90 * DAY - 1)
    second = refresh(caller).get_json()["refresh_token"]
    caller.clock.turn(90 * DAY)
    assert refused(refresh(caller, second))


def test_whether_a_late_refresh_works_is_a_switch(caller: Caller) -> None:
    caller.clock.turn(7 * HOUR)
    caller.switch("refresh_after_expiry", "refused")
    assert refused(refresh(caller))
    caller.switch("refresh_after_expiry", "allowed")
    second = refresh(caller)
    assert second.status_code == 200
    caller.switch("refresh_after_expiry", "refused")
    assert refresh(caller, second.get_json()["refresh_token"]).status_code == 200


def test_a_second_consent_leaves_the_first_pair_alone(caller: Caller) -> None:
    exchange(caller, code_of(caller))
    assert works(caller, practice_company.FREEE_ACCESS_TOKEN)


# ── the end of a pair ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("which", [practice_company.FREEE_ACCESS_TOKEN, practice_company.FREEE_REFRESH_TOKEN])
def test_revoking_either_token_ends_both(caller: Caller, which: str) -> None:
    assert caller.http.post("/public_api/revoke", data={**CLIENT, "token": which}).status_code == 200
    assert not works(caller, practice_company.FREEE_ACCESS_TOKEN)
    assert refused(refresh(caller))


def test_only_the_client_revokes(caller: Caller) -> None:
    response = caller.http.post("/public_api/revoke", data={"token": practice_company.FREEE_ACCESS_TOKEN})
    assert response.status_code == 401
    assert works(caller, practice_company.FREEE_ACCESS_TOKEN)


def test_revoking_something_unknown_is_no_fault(caller: Caller) -> None:
    assert caller.http.post("/public_api/revoke", data={**CLIENT, "token": "invented"}).status_code == 200


def test_a_test_can_expire_and_revoke(caller: Caller) -> None:
    caller.freee.expire_access_tokens()
    assert not works(caller, practice_company.FREEE_ACCESS_TOKEN)
    pair = refresh(caller).get_json()
    assert works(caller, pair["access_token"])
    caller.http.post("/_practice/tokens", json={"action": "revoke"})
    assert not works(caller, pair["access_token"])
    assert refused(refresh(caller, pair["refresh_token"]))


def test_a_reset_brings_the_first_pair_back(caller: Caller) -> None:
    refresh(caller)
    caller.freee.injector.reset()
    assert works(caller, practice_company.FREEE_ACCESS_TOKEN)
    assert refresh(caller).status_code == 200


def test_a_pair_outlives_a_restart_of_the_practice_company(caller: Caller) -> None:
    pair = refresh(caller).get_json()
    restarted = Caller()
    assert works(restarted, pair["access_token"])
    assert refresh(restarted, pair["refresh_token"]).status_code == 200
    assert not works(restarted, pair["access_token"])
    assert refused(refresh(restarted, pair["refresh_token"]))
    forged = pair["refresh_token"][:-1] + ("0" if pair["refresh_token"][-1] != "0" else "1")
    assert refused(refresh(Caller(), forged))


def test_the_age_of_a_pair_survives_the_restart_too(caller: Caller) -> None:
    pair = refresh(caller).get_json()
    restarted = Caller()
    restarted.clock.turn(6 * HOUR)
    assert not works(restarted, pair["access_token"])
    restarted.clock.turn(84 * DAY + 18 * HOUR)
    restarted.clock.turn(6 * DAY)
    assert refused(refresh(restarted, pair["refresh_token"]))


def test_no_token_is_in_the_dump_or_the_log(caller: Caller) -> None:
    pair = refresh(caller).get_json()
    works(caller, pair["access_token"])
    dump = caller.http.get("/_practice/state").text + caller.http.get("/_practice/requests").text
    for secret in (
        pair["access_token"],
        pair["refresh_token"],
        practice_company.FREEE_REFRESH_TOKEN,
        practice_company.FREEE_CLIENT_SECRET,
    ):
        assert secret not in dump
    assert caller.http.get("/_practice/state").get_json()["tokens"] == {"pairs_issued": 2, "pairs_alive": 1}


# ── the limit of the token endpoint ───────────────────────────────────────────────────────────────────────────────


def statuses(caller: Caller, number: int) -> list[int]:
    """So many refreshes in a row, each with the newest refresh token."""
    seen, newest = [], practice_company.FREEE_REFRESH_TOKEN
    for _ in range(number):
        answer = refresh(caller, newest)
        seen.append(answer.status_code)
        newest = answer.json.get("refresh_token", newest)
    return seen


def test_without_the_switch_the_token_endpoint_has_no_limit(caller: Caller) -> None:
    assert statuses(caller, 20) == [200] * 20


@pytest.mark.parametrize("says", ["retry_after", "date", "nothing"])
def test_beyond_its_limit_the_token_endpoint_refuses_and_spends_no_token(caller: Caller, says: str) -> None:
    caller.switch("token_limit", 2)
    caller.switch("token_limit_says", says)
    first = refresh(caller)
    second = refresh(caller, first.json["refresh_token"])
    refused = refresh(caller, second.json["refresh_token"])
    assert (second.status_code, refused.status_code) == (200, 429)
    assert refused.json["error"] == "rate_limit_exceeded"
    asked = refused.headers.get("Retry-After")
    if says == "retry_after":
        assert asked is not None and 0 < int(asked) <= 60
    elif says == "date":
        assert asked is not None
        assert 0 < (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds() <= 61
    else:
        assert asked is None
    caller.clock.turn(60)
    assert refresh(caller, second.json["refresh_token"]).status_code == 200, "the refusal has spent nothing"


@pytest.mark.parametrize("value", [-1, 10_001, True, "5", 2.0])
def test_the_limit_is_a_whole_number(caller: Caller, value: Any) -> None:
    with pytest.raises(BadSwitch):
        caller.freee.injector.set_switch("token_limit", value)
