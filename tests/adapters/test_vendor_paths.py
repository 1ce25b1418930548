"""Whatever text is taken for an id, it reaches a vendor as one segment of the path as it stands, or not at all."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.adapters.freee import webhook as freee_webhook
from app.adapters.freee.client import FreeeClient, freee_client
from app.adapters.freee.gateway import FreeeGateway
from app.adapters.freee.oauth import FixedToken
from app.adapters.http import HttpClient
from app.adapters.smarthr import webhook as smarthr_webhook
from app.adapters.smarthr.client import SmartHRClient, build_smarthr_client
from app.adapters.smarthr.gateway import SmartHRGateway
from app.domain.employee import YearMonth
from app.domain.errors import AwaseError
from tests.adapters.canned import CannedServer, OpenLimiter, answer
from tests.adapters.freee_world import COMPANY_ID, settings_for
from tests.adapters.smarthr_world import settings
from tests.properties import examples
from tests.web.hooks import freee_body, smarthr_body

MONTH = YearMonth(2026, 11)
ODD = (
    *(".", "..", "...", "../users", "../../x", "..\\x", "%2e%2e", "%2E%2E%2Fusers", "%252e%252e", "a/b", "/", "//x"),
    *("?x=1", "a?b", "#", "a#b", "a;b", "a b", "a\nb", "a\r\nHost: evil", "\t", "\0", "", " ", "１２", "é", "佐藤"),
    *("a" * 65, "a" * 5000, "．．", "a@b", "http://evil.example/", "\u202e1", "\u200b1", "\ud800", ".a", "a%00"),
)
PLAIN = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z")
ANY = st.one_of(st.sampled_from(ODD), st.text(max_size=12), st.text(alphabet="./%2eE\\?#;@: \r\n", max_size=8), PLAIN)

Call = Callable[[str], Any]


@pytest.fixture(scope="module")
def vendor() -> Iterator[CannedServer]:
    """A server that takes down what it is asked, to the letter."""
    server = CannedServer()
    server.will(answer({}))
    yield server
    server.close()


def smarthr(vendor: CannedServer) -> SmartHRClient:
    return build_smarthr_client(settings(vendor.url), "awase", "t0ken", OpenLimiter())


def freee(vendor: CannedServer) -> FreeeClient:
    return freee_client(settings_for(vendor.url), COMPANY_ID, FixedToken("t0ken"), OpenLimiter())


def calls_with_an_id(client: object) -> dict[str, Call]:
    """Every method of a client that takes an id of a record, as a function of that id."""
    fillers: dict[str, Any] = {"month": MONTH, "body": {}, "rule": {}, "employee": {}}
    found: dict[str, Call] = {}
    for name, method in inspect.getmembers(client, inspect.ismethod):
        takes = [each for each in inspect.signature(method).parameters if not name.startswith("_")]
        ids = [each for each in takes if each.endswith("_id")]
        if ids:
            found[name] = partial(called, method, ids[0], {each: fillers[each] for each in takes if each in fillers})
    return found


def called(method: Callable[..., Any], parameter: str, more: dict[str, Any], record_id: str) -> Any:
    return method(**{parameter: record_id}, **more)


def asked(vendor: CannedServer, call: Call, record_id: str) -> list[str]:
    """The paths that the server was asked for, without their queries."""
    vendor.seen.clear()
    try:
        call(record_id)
    except AwaseError as error:
        assert record_id == "" or len(record_id) < 3 or record_id not in str(error)
    return [each.target.partition("?")[0] for each in vendor.seen]


def check(paths: list[str], call: str, record_id: str, *, plain: bool) -> None:
    assert bool(paths) == plain, (call, record_id)
    for path in paths:
        assert record_id in path.split("/"), (call, record_id, path)
        assert ".." not in path and "%" not in path


@examples(30)
@given(record_id=ANY)
@example("..")
def test_ids_of_clients(vendor: CannedServer, record_id: str) -> None:
    plain = record_id.isascii() and 0 < len(record_id) <= 64 and record_id.replace("_", "a").replace("-", "a").isalnum()
    for client, expected in ((smarthr(vendor), 4), (freee(vendor), 6)):
        calls = calls_with_an_id(client)
        assert len(calls) == expected, "a method with an id is missing, or new: it is tried as well"
        for name, call in calls.items():
            check(asked(vendor, call, record_id), name, record_id, plain=plain)


def test_ids_of_people_that_are_read(vendor: CannedServer) -> None:
    """As a job reads them: also an id that was stored before webhooks were looked at so closely."""
    gateways: list[Any] = [SmartHRGateway(smarthr(vendor)), FreeeGateway(freee(vendor), COMPANY_ID)]
    for gateway, record_id in product(gateways, ODD):
        assert asked(vendor, partial(gateway.read, month=MONTH), record_id) == []


@pytest.mark.parametrize("path", ["/v1/../x", "/v1//x", "/v1/%2e%2e", "v1", "/v1/x?y=1", "/v1/x#y", "/v1/a b", "/v1/."])
def test_a_path_that_would_be_changed_is_never_sent(vendor: CannedServer, path: str) -> None:
    """The wall behind the walls: whoever builds a path in a new way."""
    client = HttpClient(
        vendor.url, headers=dict, classify=lambda _: AwaseError("E22"), limiter=OpenLimiter(), limiter_key="x:"
    )
    vendor.seen.clear()
    with pytest.raises(AwaseError):
        client.send("GET", path, is_read=True)
    assert vendor.seen == []


def test_a_webhook_that_names_such_an_id_names_nobody() -> None:
    for person in ODD:
        for found in (
            smarthr_webhook.parse_event(smarthr_body("crew_updated", person)),
            freee_webhook.parse_event(freee_body(person=person)),
        ):
            assert (found.known, found.people) == (False, ()), person
