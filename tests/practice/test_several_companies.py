"""Several companies at one practice vendor: each with its own people, token, switches and faults; freee's one app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask

from app.practice.freee.practice_freee import freee_of
from app.practice.freee.several import create_companies
from app.practice.server import RunningServer, start_in_thread
from app.practice.smarthr.several import create_tenants
from app.practice.staff import practice_company
from app.practice.staff.practice_company import build_company
from app.practice.staff.tenants import Tenant, tenant, tenants
from app.practice.vendor_kit.persistence import kept_in
from tests.practice.test_server import process
from tests.practice.webhook_receiver import Receiver

TODAY = date(2026, 4, 1)
THREE = tenants(3)
CLIENT = {"client_id": practice_company.FREEE_CLIENT_ID, "client_secret": practice_company.FREEE_CLIENT_SECRET}
BACK = "http://127.0.0.1:9/callback"


@dataclass(frozen=True)
class House:
    smarthr: RunningServer
    freee: RunningServer
    apps: list[Flask]
    """freee's companies."""

    def crews(self, company: Tenant, token: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or company.smarthr_token}"}
        return requests.get(f"{self.smarthr.url}/{company.subdomain}/api/v1/crews", headers=headers, timeout=10)

    def employees(self, company: Tenant, token: str | None = None) -> requests.Response:
        url = f"{self.freee.url}/hr/api/v1/companies/{company.company_id}/employees"
        headers = {"Authorization": f"Bearer {token or company.access_token}"}
        return requests.get(url, headers=headers, params={"limit": 100}, timeout=10)

    def refresh(self, company: Tenant) -> requests.Response:
        form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": company.refresh_token}
        return requests.post(f"{self.freee.url}/public_api/token", data=form, timeout=10)


def control(server: RunningServer, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, f"{server.url}/_practice/{path}", json=body, timeout=10)


@pytest.fixture
def house() -> Iterator[House]:
    companies = [build_company(TODAY, tenant=each) for each in THREE]
    freee, apps = create_companies(companies)
    made = House(start_in_thread(create_tenants(companies)[0]), start_in_thread(freee), apps)
    yield made
    made.smarthr.stop()
    made.freee.stop()


# ── the companies ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_company_has_the_same_stories_and_people_of_its_own() -> None:
    first, second = (build_company(TODAY, extra=20, tenant=each) for each in THREE[:2])
    assert [each.note for each in first.scenarios] == [each.note for each in second.scenarios]
    assert not {each["id"] for each in first.crews} & {each["id"] for each in second.crews}
    assert not {each["id"] for each in first.employees} & {each["id"] for each in second.employees}
    names = [{(each["emp_code"], each["last_name"]) for each in company.crews} for company in (first, second)]
    assert len(names[0] & names[1]) < len(names[0]) / 5, "nearly nobody has the name of the one with the same number"
    assert {each["company_id"] for each in second.employees} == {THREE[1].company_id}


def test_the_first_company_is_the_one_there_has_always_been() -> None:
    assert build_company(TODAY).tenant == THREE[0]
    assert (THREE[0].subdomain, THREE[0].company_id) == ("awase-renshu", 1_234_567)
    for what in ("subdomain", "smarthr_token", "company_id", "external_cid", "access_token", "refresh_token"):
        assert len({getattr(each, what) for each in tenants(100)}) == 100, what
    assert all(secret not in repr(THREE[1]) for secret in (THREE[1].smarthr_token, THREE[1].refresh_token))


@pytest.mark.parametrize("number", [0, 101])
def test_a_house_has_one_company_at_least_and_a_hundred_at_most(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        tenant(number)


# ── SmartHR ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tenant_shows_its_own_people_to_its_own_token_only(house: House) -> None:
    shown = [{each["id"] for each in house.crews(company).json()} for company in THREE]
    assert all(shown) and not shown[0] & shown[1] and not shown[1] & shown[2]
    assert house.crews(THREE[1], token=THREE[0].smarthr_token).status_code == 401
    nobody = requests.get(f"{house.smarthr.url}/awase-renshu-9/api/v1/crews", timeout=10)
    assert (nobody.status_code, nobody.json()["message"]) == (400, "subdomain awase-renshu-9 is inactive")


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_opens_the_company_it_was_made_for_and_no_other(house: House) -> None:
    shown = [{each["id"] for each in house.employees(company).json()} for company in THREE]
    assert all(shown) and not shown[0] & shown[1] and not shown[1] & shown[2]
    assert house.employees(THREE[0], token=THREE[1].access_token).status_code == 403
    assert house.employees(THREE[1], token="unknown").status_code == 401


def test_a_refresh_is_the_companys_own_and_ends_no_other_token(house: House) -> None:
    answer = house.refresh(THREE[1]).json()
    assert (answer["company_id"], answer["external_cid"]) == (str(THREE[1].company_id), THREE[1].external_cid)
    assert house.employees(THREE[1]).status_code == 401, "its former one is dead"
    assert house.employees(THREE[1], token=answer["access_token"]).status_code == 200
    assert [house.employees(each).status_code for each in (THREE[0], THREE[2])] == [200, 200]


def test_the_page_of_consent_asks_for_which_company(house: House) -> None:
    asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": BACK, "state": "s"}
    url = f"{house.freee.url}/public_api/authorize"
    page = requests.get(url, params=asked, timeout=10)
    assert page.status_code == 200
    assert all(each.company_name in page.text and str(each.company_id) in page.text for each in THREE)
    chosen = {**asked, "company_id": str(THREE[2].company_id)}
    back = requests.get(url, params=chosen, timeout=10, allow_redirects=False)
    code = parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]
    form = {**CLIENT, "grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    told = requests.post(f"{house.freee.url}/public_api/token", data=form, timeout=10).json()
    assert told["company_id"] == str(THREE[2].company_id)
    assert house.employees(THREE[2], token=told["access_token"]).status_code == 200
    again = requests.post(f"{house.freee.url}/public_api/token", data=form, timeout=10)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_grant"), "a code works once"


def test_a_user_sees_every_company_with_the_role_there(house: House) -> None:
    control(house.freee, "PUT", "switches", {"company": 2, "role": "self_only"})
    headers = {"Authorization": f"Bearer {THREE[0].access_token}"}
    told = requests.get(f"{house.freee.url}/hr/api/v1/users/me", headers=headers, timeout=10).json()["companies"]
    roles = {each["id"]: each["role"] for each in told}
    assert [roles[each.company_id] for each in THREE] == ["company_admin", "self_only", "company_admin"]


def test_the_limit_of_the_token_endpoint_is_the_applications(house: House) -> None:
    control(house.freee, "PUT", "switches", {"token_limit": 2})
    assert [house.refresh(each).status_code for each in THREE] == [200, 200, 429]


def test_webhooks_of_all_companies_go_to_one_address(house: House) -> None:
    receiver = Receiver()
    try:
        control(house.freee, "PUT", "webhook", {"url": receiver.url, "token": "t"})
        for company in THREE[1:]:
            one = house.employees(company).json()[0]["id"]
            edit = {"company": company.company_id, "profile_rule": {"phone1": "070"}}
            assert control(house.freee, "POST", f"employees/{one}", edit).status_code == 200
        assert receiver.wait_for(2)
        assert {each["employee"]["company_id"] for each in receiver.bodies} == {each.company_id for each in THREE[1:]}
        idle = control(house.freee, "GET", "webhooks?company=2").json()
        assert len(idle["deliveries"]) == 1
    finally:
        receiver.stop()


# ── switches and faults ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("named", ["2", THREE[1].subdomain])
def test_a_switch_and_a_fault_are_of_one_company_when_it_is_named(house: House, named: str) -> None:
    control(house.smarthr, "PUT", "switches", {"company": named, "token_revoked": True})
    assert [house.crews(each).status_code for each in THREE] == [200, 401, 200]
    control(house.smarthr, "PUT", "switches", {"company": named, "token_revoked": False})
    rule = {"company": named, "path": "/crews", "status": 503, "times": 1}
    assert control(house.smarthr, "POST", "faults", rule).status_code == 201
    assert [house.crews(each).status_code for each in THREE] == [200, 503, 200]
    rules = [control(house.smarthr, "GET", f"faults?company={number}").json() for number in (1, 2)]
    assert [len(each) for each in rules] == [0, 1]


def test_without_a_name_they_concern_the_vendor_as_a_whole(house: House) -> None:
    control(house.freee, "POST", "faults", [{"path": "/hr/", "status": 500}])
    assert [house.employees(each).status_code for each in THREE] == [500, 500, 500]
    control(house.freee, "DELETE", "faults")
    control(house.freee, "PUT", "switches", {"maintenance": True})
    assert [house.employees(each).status_code for each in THREE] == [503, 503, 503]
    control(house.freee, "POST", "reset")
    assert [house.employees(each).status_code for each in THREE] == [200, 200, 200]


def test_a_company_starts_again_without_the_others(house: House) -> None:
    control(house.freee, "PUT", "webhook", {"url": "http://127.0.0.1:9/hook"})
    for company in THREE[:2]:
        control(house.freee, "DELETE", f"employees/{house.employees(company).json()[0]['id']}?company={company.number}")
    sizes = [len(house.employees(each).json()) for each in THREE]
    control(house.freee, "POST", "reset?company=2")
    assert [len(house.employees(each).json()) for each in THREE] == [sizes[0], sizes[0] + 1, sizes[2]]
    edited = house.employees(THREE[2]).json()[0]["id"]
    control(house.freee, "POST", f"employees/{edited}?company=3", {"profile_rule": {"phone1": "070"}})
    assert freee_of(house.apps[2]).webhooks.wait_idle(10)
    assert len(freee_of(house.apps[2]).webhooks.log) == 1, "the address is still there"


def test_a_company_nobody_knows_is_not_found(house: House) -> None:
    for server in (house.smarthr, house.freee):
        answer = control(server, "PUT", "switches", {"company": "9", "maintenance": True})
        assert (answer.status_code, answer.json()) == (404, {"message": "no company with this key or number"})
        assert control(server, "GET", "state?company=9").status_code == 404


def test_the_companies_are_listed_and_each_has_its_own_page_of_switches(house: House) -> None:
    listed = control(house.smarthr, "GET", "companies").json()["companies"]
    assert [each["company"] for each in listed] == [each.subdomain for each in THREE]
    page = control(house.smarthr, "GET", "?company=2").text
    assert f'<a href="?company={THREE[1].subdomain}"\naria-current="page">練習用の会社2</a>' in page
    assert page.count(f'action="clicks?company={THREE[1].subdomain}"') > 5
    clicked = requests.post(
        f"{house.smarthr.url}/_practice/clicks?company={THREE[1].subdomain}", data={"mishap": "down"}, timeout=10
    )
    assert urlsplit(clicked.url).query == f"company={THREE[1].subdomain}"
    assert [house.crews(each).status_code for each in THREE] == [200, 500, 200]


def test_one_company_alone_is_no_choice_and_has_no_list() -> None:
    vendor = start_in_thread(create_companies([build_company(TODAY)])[1][0])
    try:
        assert "事業所" not in control(vendor, "GET", "").text
        asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": BACK}
        url = f"{vendor.url}/public_api/authorize"
        assert requests.get(url, params=asked, timeout=10, allow_redirects=False).status_code == 302
    finally:
        vendor.stop()


# ── as a process ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.processes
@pytest.mark.parametrize("vendor", ["smarthr", "freee"])
def test_companies_come_and_go_and_those_that_stay_remember(tmp_path: Path, vendor: str) -> None:
    file, log = tmp_path / "kept.json", tmp_path / "log.jsonl"

    def people(url: str, number: int) -> list[str]:
        state = requests.get(f"{url}/_practice/state?company={number}", timeout=10).json()
        return [str(each["id"]) for each in state["crews" if vendor == "smarthr" else "employees"]]

    kept = ("--state", str(file), "--log", str(log))
    where = "crews" if vendor == "smarthr" else "employees"
    with process(vendor, *kept, "--companies", "2") as (told, _):
        for number in (1, 2):
            gone = people(told["url"], number)[0]
            url = f"{told['url']}/_practice/{where}/{gone}?company={number}"
            assert requests.delete(url, timeout=10).status_code == 204
    with process(vendor, *kept) as (told, _):
        alone = len(requests.get(f"{told['url']}/_practice/state", timeout=10).json()[where])
    with process(vendor, *kept, "--companies", "3") as (told, _):
        assert [len(people(told["url"], number)) for number in (1, 2, 3)] == [alone, alone, alone + 1]
        path, token = {
            "smarthr": (f"{THREE[2].subdomain}/api/v1/crews", THREE[2].smarthr_token),
            "freee": ("hr/api/v1/users/me", THREE[2].access_token),
        }[vendor]
        requests.get(f"{told['url']}/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert all(kept_in(file, number).exists() for number in (1, 2, 3))
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    key = {"smarthr": THREE[2].subdomain, "freee": str(THREE[2].company_id)}[vendor]
    assert [(each["path"], each["company"]) for each in rows] == [(f"/{path}", key)]
