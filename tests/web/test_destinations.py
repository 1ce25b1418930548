"""Whatever a request asks for as the next page, the answer leads to a page of ours, and no header breaks."""

from __future__ import annotations

import string
from urllib.parse import urljoin, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.access.roles import Role
from app.web.http.destinations import LONGEST, own_path
from tests.web.visitor import PASSWORD, Visitor, visitor
from tests.web.world import World

AWKWARD = [
    *("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)"),
    *(
        "https:evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/\x00",
        "\x00/",
        "//[",
        "/[",
    ),
    *(
        "///evil.example",
        "/\u2028/evil.example",
        "/\x85/evil",
        " //evil.example",
        "/ /evil",
        "/" + "a" * LONGEST,
        "",
        "?",
    ),
    *(
        "/runs?x=\ud800",
        "/ｅｖｉｌ",
        "/\u3002",
        "\u2044/evil.example",
        "/\ufeff//evil.example",
        "/%0d%0aa:b",
        "/..//evil",
    ),
]
SIGNS = st.one_of(st.text(max_size=40), st.text("/\\.:@?#%[]\t\r\n evilhtps", max_size=20), st.sampled_from(AWKWARD))


def as_a_browser_reads(address: str) -> str:
    """The host to which a browser would go from a page of ours: it leaves out tabs and line breaks, blanks at the ends,
    and takes a backslash for a slash (WHATWG's URL standard)."""
    read = address.strip("".join(map(chr, range(0x21)))).translate(str.maketrans("\\", "/", "\t\r\n"))
    return urlsplit(urljoin("https://awase.example/sign-in", read)).netloc


@given(SIGNS)
@example("/\t/evil.example")
@example("/\\evil.example")
def test_a_next_page_is_a_path_of_ours_or_none(wanted: str) -> None:
    found = own_path(wanted)
    if found is None:
        return
    assert found.startswith("/") and set(found) <= set(string.printable) - set(string.whitespace)
    assert len(found) <= LONGEST * 12
    assert as_a_browser_reads(found) == "awase.example"


@given(st.text("abc/?&=-_.~%" + string.digits, max_size=60))
def test_a_page_of_ours_is_found_again(path: str) -> None:
    wanted = "/" + path.lstrip("/")
    assert own_path(wanted) == wanted


@pytest.mark.parametrize("address", ["/sign-in", "/language"])
def test_no_next_page_is_an_error_or_leads_away(address: str, client: FlaskClient, world: World) -> None:
    client.application.config["WTF_CSRF_ENABLED"] = False
    try:
        made = visitor(world.ctx, client.application.test_client(), Role.MEMBER)
        for wanted in AWKWARD:
            wire = {"next": wanted.encode("utf-8", "surrogatepass"), "locale": "en"}
            rightly = {**wire, "login": "member@example.invalid", "password": PASSWORD}
            answers = [made.client.get("/sign-in", query_string=wire), made.client.post(address, data=rightly)]
            answers += [client.get("/sign-in", query_string=wire), client.post("/language", data=wire)]
            for answer in answers:
                assert answer.status_code in (200, 303), (wanted, answer.status_code)
                where = answer.headers.get("Location", "/")
                assert as_a_browser_reads(where) in ("awase.example", "localhost"), (wanted, where)
    finally:
        client.application.config["WTF_CSRF_ENABLED"] = True


@pytest.mark.parametrize(
    "path", ["/runs?a=%0d%0aSet-Cookie:b", "/runs?%ff=%0a", "/users%0d%0a", "/runs/%0a", "/%5c/x", "/a%20b?q=%e5"]
)
def test_the_way_to_the_sign_in_holds_no_line_break(path: str, client: FlaskClient) -> None:
    answer = client.get(path)
    assert answer.status_code in (303, 404)
    assert "\n" not in answer.headers.get("Location", "") and "Set-Cookie:b" not in answer.headers
    page = Visitor(client)
    page.open("/sign-in?next=" + path)


def test_what_else_a_request_brings_into_headers_breaks_none(client: FlaskClient) -> None:
    """The id of the request, and the cookies: everything else in headers is made of ids and words of ours."""
    for value in ("a" * 3000, "x" * 8 + "\u00e9", "a;b=c", "{}", "\x7f" * 10):
        answer = client.get("/sign-in", headers={"X-Request-ID": value.encode("latin-1", "replace").decode("latin-1")})
        assert answer.status_code == 200 and answer.headers["X-Request-ID"] != value
        client.set_cookie("awase-device", value)
        assert client.get("/sign-in").status_code == 200
