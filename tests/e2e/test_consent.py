"""From `flask connection add` without tokens to a working connection: real HTTP, an administrator, a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from click.testing import Result
from flask import Flask

from app.domain.enums import Direction
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.factory import create_app
from app.logs import configure_logging
from app.practice.server import start_in_thread
from app.practice.staff import practice_company
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.connections import connections
from app.web.screens.connections.consent import REMEDIES
from tests.house import KEY, House
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

NEW = "shinki"
TO_FREEE = Direction.SMARTHR_TO_FREEE


@dataclass
class Site:
    """A house whose web process really listens, and an administrator before its terminal and a browser."""

    house: House
    app: Flask

    def command(self, *arguments: str, **more: str) -> Result:
        return self.app.test_cli_runner().invoke(args=["connection", *arguments], **more)

    def add(self, *, company_id: int = practice_company.FREEE_COMPANY_ID) -> None:
        """Connect the practice companies anew. The house's own connection makes room: a pair is connected once."""
        with self.house.ctx.unit_of_work() as uow:
            uow.connections.remove(self.house.connection.id, now=self.house.clock.now())
        added = self.command(
            *("add", "--key", NEW, "--name", "新規の会社", "--smarthr-subdomain", practice_company.SUBDOMAIN),
            *("--freee-company-id", str(company_id)),
            input=f"{practice_company.SMARTHR_TOKEN}\n",
        )
        assert added.exit_code == 0, added.output

    def add_other_tenant(self) -> str:
        """The key of a second connection to the same freee company, from another SmartHR tenant of the group."""
        with self.house.ctx.unit_of_work() as uow:
            added = uow.connections.add(
                key="betsu",
                name="別のテナント",
                smarthr_subdomain="awase-betsu",
                smarthr_token=practice_company.SMARTHR_TOKEN,
                freee_company_id=practice_company.FREEE_COMPANY_ID,
                mail_to=[],
                now=self.house.clock.now(),
            )
        return added.key

    def address(self, key: str = NEW) -> str:
        told = self.command("authorise", key)
        assert told.exit_code == 0, told.output
        return told.stdout.strip()

    def readable(self, key: str = NEW) -> dict[str, str | None]:
        """System → None, or the code that says why it cannot be read."""
        return {check.system.value: check.code for check in connections.check_connection(self.house.ctx, key)}

    def exchanges(self) -> int:
        return self.house.freee_injector.calls("POST", "/public_api/token")


def browse(address: str) -> requests.Response:
    """Open the address and follow every redirect, as a browser does."""
    return requests.get(address, timeout=30)


def told(page: requests.Response, code: str, *, status: int = 409) -> bool:
    assert page.status_code == status, page.text
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    return REMEDIES[code] in page.text


@pytest.fixture
def open_site(open_practice: Callable[..., House]) -> Iterator[Callable[..., Site]]:
    with ExitStack() as stack:

        def open_one(of: PracticeCompany | None = None) -> Site:
            opened: list[Flask] = []
            # The house has to know the address before the application can be made.
            server = start_in_thread(lambda environ, start_response: opened[0](environ, start_response))
            stack.callback(server.stop)
            house = open_practice(of, BASE_URL=server.url)
            opened.append(create_app(house.ctx))
            return Site(house, opened[0])

        yield open_one


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()


def test_a_new_connection_is_authorised_in_the_browser(site: Site) -> None:
    site.add()
    assert site.readable() == {"smarthr": None, "freee": "needs_consent"}
    page = browse(site.address())
    assert page.status_code == 200
    assert "接続しました" in page.text and "新規の会社" in page.text
    assert "練習商事株式会社" in page.text and str(practice_company.FREEE_COMPANY_ID) in page.text
    assert site.readable() == {"smarthr": None, "freee": None}
    checked = site.command("check", NEW)
    assert (checked.exit_code, checked.stdout.count("読めます")) == (0, 2)


def test_a_person_has_to_allow_it(site: Site) -> None:
    site.house.freee_injector.set_switch("interactive", True)
    site.add()
    asked = browse(site.address())
    assert "アクセスを許可しますか" in asked.text
    links = dict(re.findall(r'<a href="([^"]+)">([^<]+)</a>', asked.text))
    allow = next(link for link, label in links.items() if label == "許可する").replace("&amp;", "&")
    assert "接続しました" in browse(site.house.servers[1].url + allow).text
    assert site.readable()["freee"] is None


def test_a_denial_changes_nothing_and_one_may_start_anew(site: Site) -> None:
    site.add()
    address = site.address()
    assert told(browse(f"{address}&deny=1"), "consent_denied")
    assert site.readable()["freee"] == "needs_consent"
    assert told(browse(address), "consent_unknown")
    assert site.exchanges() == 0
    assert browse(site.address()).status_code == 200


def test_a_way_back_is_good_once(site: Site) -> None:
    site.add()
    first = browse(site.address())
    assert urlsplit(first.url).path == "/connect/freee/callback"
    version = site.house.ctx.tokens.freee_tokens(2).version
    assert told(browse(first.url), "consent_unknown")
    assert site.exchanges() == 1
    assert site.house.ctx.tokens.freee_tokens(2).version == version
    assert site.readable()["freee"] is None


def test_a_state_made_up_by_somebody_reaches_nobody(site: Site) -> None:
    site.add()
    state = parse_qs(urlsplit(site.address()).query)["state"][0]
    forged = f"{site.house.ctx.settings.base_url}/connect/freee/callback?code=x&state={state[::-1]}"
    assert told(browse(forged), "consent_unknown")
    assert site.exchanges() == 0


def test_a_code_of_another_sign_in_is_refused_by_freee(site: Site) -> None:
    """PKCE: a code somebody else brought about does not fit this state's verifier."""
    site.add()
    ours, theirs = site.address(), site.address(site.add_other_tenant())
    back = requests.get(theirs, allow_redirects=False, timeout=10).headers["Location"]
    code = parse_qs(urlsplit(back).query)["code"][0]
    state = parse_qs(urlsplit(ours).query)["state"][0]
    base = site.house.ctx.settings.base_url
    assert told(browse(f"{base}/connect/freee/callback?code={code}&state={state}"), "consent_refused")
    assert site.readable()["freee"] == "needs_consent"


def test_after_half_an_hour_the_address_is_dead(site: Site) -> None:
    site.add()
    address = site.address()
    site.house.clock.turn(minutes=31)
    assert told(browse(address), "consent_unknown")
    assert site.exchanges() == 0


def test_the_wrong_company_is_named_and_refused(site: Site) -> None:
    site.add(company_id=7_654_321)
    page = browse(site.address())
    assert told(page, "wrong_company")
    assert str(practice_company.FREEE_COMPANY_ID) in page.text and "7654321" in page.text
    assert site.readable()["freee"] == "needs_consent"


@pytest.mark.parametrize("role", ["self_only", "custom-jinji"])
def test_only_the_company_s_administrator_connects(site: Site, role: str) -> None:
    site.house.freee_injector.set_switch("role", role)
    site.add()
    assert told(browse(site.address()), "not_administrator")
    assert site.readable()["freee"] == "needs_consent"


@pytest.mark.parametrize("path", ["/public_api/token", "/users/me"])
def test_freee_is_away_in_between(site: Site, path: str) -> None:
    site.add()
    site.house.freee_injector.fault(path=path, times=10, status=503, body="<html>")
    assert told(browse(site.address()), "freee_away", status=503)
    assert site.readable()["freee"] == "needs_consent"
    site.house.freee_injector.clear_faults()
    site.house.clock.turn(seconds=61)  # the token door leaves a freee that is away alone for a while
    assert browse(site.address()).status_code == 200


def test_a_revoked_connection_is_authorised_again_and_the_run_goes_on(
    open_site: Callable[..., Site], company: PracticeCompany
) -> None:
    site = open_site(only(company, "update", "equal"))
    house = site.house
    house.freee.revoke_all_tokens()
    held = house.start(TO_FREEE)
    house.work(reconciling=False)
    assert house.seen(held).finished_at is None
    with pytest.raises(Refused) as refused:
        house.start(TO_FREEE)
    assert refused.value.code == "needs_consent"
    checked = site.command("check", KEY)
    assert checked.exit_code == 1 and f"flask connection authorise {KEY}" in checked.stdout

    assert browse(site.address(KEY)).status_code == 200

    assert site.readable(KEY) == {"smarthr": None, "freee": None}
    house.work()
    assert house.seen(held).state is RunState.SUCCEEDED
    assert house.seen(held).counts[ItemState.SUCCEEDED] > 0


def test_a_new_authorisation_outlives_the_next_renewal(site: Site) -> None:
    """The pair that came with the code is a pair like any other: it is renewed when its time comes."""
    site.add()
    browse(site.address())
    site.house.freee.expire_access_tokens()
    assert site.readable()["freee"] is None
    assert site.exchanges() == 2


def test_no_log_line_holds_a_code_a_state_or_a_token(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.add()
    addresses = site.address(), site.address()
    configure_logging("DEBUG")  # a command has made it quieter
    page = browse(addresses[0])
    site.house.freee_injector.set_switch("role", "self_only")
    other = browse(addresses[1])
    sent = [parse_qs(urlsplit(each.url).query) for each in (page, other)]
    tokens = site.house.ctx.tokens.freee_tokens(2)
    log = capsys.readouterr().err
    assert log.count('"event": "request"') == 2 and '"consent_given"' in log and '"consent_failed"' in log
    assert "/public_api/token" in log
    for secret in (sent[0]["code"], sent[0]["state"], sent[1]["code"], sent[1]["state"]):
        assert secret[0] not in log
    for secret in (
        tokens.access_token,
        tokens.refresh_token,
        practice_company.FREEE_CLIENT_SECRET,
        practice_company.SMARTHR_TOKEN,
    ):
        assert secret not in log
