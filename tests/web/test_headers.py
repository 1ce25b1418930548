"""The headers that protect a browser, on every answer of every route, whoever asks and however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.domain.access.roles import Role
from app.factory import create_app
from app.use_cases.accounts.api_keys import Scope, add_key
from tests.web.visitor import arrived
from tests.web.world import KEY, World, make_settings

BROWSER = {"Accept": "text/html"}
FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;proto=https;host=evil.example",
}


def rules(app: Flask) -> Iterator[tuple[str, str]]:
    """(method, path) of every route, of the webhooks as well, and of some that are none."""
    for each in (app, app.extensions["awase-intake-app"]):
        for rule in each.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, path_of(rule)
    yield from (("GET", path) for path in ("/nowhere", "/static/nowhere.css", "/webhooks/nowhere", "/api/nowhere"))
    yield from (("PROPFIND", path) for path in ("/", "/metrics", "/webhooks/freee", "/api/v1/runs"))


def path_of(rule: Rule) -> str:
    known: dict[str, Any] = {"key": KEY, "name": "app.css", "step": "freee", "token": "x" * 20, "section": "freee"}
    kinds = {"IntegerConverter": 1, "UUIDConverter": "00000000-0000-0000-0000-000000000000"}
    values = {
        name: known.get(name) or kinds.get(type(rule._converters[name]).__name__, "none") for name in rule.arguments
    }
    return "".join(str(values[part]) if dynamic else part for dynamic, part in parts(rule, values))


def parts(rule: Rule, values: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    rest = rule.rule
    while "<" in rest:
        fixed, _, rest = rest.partition("<")
        inner, _, rest = rest.partition(">")
        yield False, fixed
        yield True, inner.rpartition(":")[2]
    yield False, rest


def check(answer: TestResponse, what: object, *, tls: bool = False) -> None:
    headers = answer.headers
    assert answer.status_code < 500 or answer.status_code == 503, what
    assert headers["X-Content-Type-Options"] == "nosniff", what
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy, what
    assert "unsafe" not in policy and "base-uri 'none'" in policy, what
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin"), what
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin", what
    assert "camera=()" in headers["Permissions-Policy"], what
    asked = answer.request
    kept = asked.path.startswith("/static/") and asked.method == "GET" and answer.status_code == 200
    assert headers["Cache-Control"] == ("no-cache" if kept else "no-store"), what
    assert ("Strict-Transport-Security" in headers) == tls, what
    for name in ("Server", "X-Powered-By", "Access-Control-Allow-Origin", "X-AspNet-Version"):
        assert name not in headers, what
    for product in ("werkzeug", "gunicorn", "waitress", "flask/", "python/"):
        assert product not in answer.get_data(as_text=True).lower() or kept, what


def test_every_route_to_strangers_users_and_programs(world: World) -> None:
    app = create_app(world.ctx)
    admin = arrived(world.ctx, app.test_client(), Role.ADMIN)
    program = {"Authorization": f"Bearer {add_key(world.ctx, 'テスト', list(Scope))}"}
    walked = list(rules(app))
    assert len(walked) > 100
    for method, path in walked:
        if path == "/sign-out":
            continue
        for who, client, headers in (
            ("stranger", app.test_client(), BROWSER),
            ("admin", admin.client, BROWSER),
            ("program", app.test_client(), program),
        ):
            if who == "program" and not path.startswith(("/api/", "/metrics", "/health/")):
                continue
            check(client.open(path, method=method, headers=headers), (who, method, path))


def test_a_bug_says_no_more(world: World) -> None:
    app = create_app(world.ctx)

    @app.get("/broken")
    def broken() -> str:
        raise ValueError("must not be seen")

    for headers in (BROWSER, {}):
        answer = app.test_client().get("/broken", headers=headers)
        assert answer.status_code == 500 and "ValueError" not in answer.text
        answer.status_code = 503
        check(answer, headers)


PATHS = ("/", "/sign-in", "/health/ready", "/metrics", "/api/docs", "/nowhere", "/webhooks/freee", "/static/app.css")


@pytest.mark.parametrize("subdomains", ["off", "on"])
def test_over_tls_browsers_are_told_to_stay_there(subdomains: str, world: World) -> None:
    """For subdomains, which may be somebody else's, only where that is wished."""
    changes = {"BASE_URL": "https://awase.example", "HSTS_SUBDOMAINS": subdomains}
    settings = make_settings(world.ctx.settings.data_dir, **changes)
    client = create_app(replace(world.ctx, settings=settings)).test_client()
    for path in PATHS:
        answer = client.get(path, base_url="https://awase.example")
        check(answer, path, tls=True)
        expected = "max-age=31536000" + ("; includeSubDomains" if subdomains == "on" else "")
        assert answer.headers["Strict-Transport-Security"] == expected


def test_no_header_of_a_stranger_is_believed(world: World, app: Flask) -> None:
    """Without a trusted proxy, everything that claims to come from one changes nothing; nor does a foreign Host."""
    for path in PATHS:
        for said in (*({name: value} for name, value in FORWARDED.items()), FORWARDED, {"Host": "evil.example"}):
            plain, claimed = (app.test_client().get(path, headers=each) for each in ({}, said))
            check(claimed, (path, said))
            assert "evil" not in claimed.text and "evil" not in claimed.headers.get("Location", ""), (path, said)
            assert claimed.status_code in (plain.status_code, 429), (path, said)


# ── the description of the API ────────────────────────────────────────────────────────────────────────────────────


def test_the_description_of_the_api_can_be_kept_from_strangers(world: World) -> None:
    settings = replace(world.ctx.settings, api_docs="signed_in")
    app = create_app(replace(world.ctx, settings=settings))
    key = {"Authorization": f"Bearer {add_key(world.ctx, 'テスト', ['runs:read'])}"}
    viewer = arrived(world.ctx, app.test_client(), Role.VIEWER)
    for path in ("/api/docs", "/api/openapi.json"):
        refused = app.test_client().get(path, headers=BROWSER)
        assert refused.status_code == 401 and refused.json["code"] == "unauthorized"
        assert app.test_client().get(path, headers={"Authorization": "Bearer no"}).status_code == 401
        assert app.test_client().get(path, headers=key).status_code == 200
        assert viewer.client.get(path).status_code == 200
        assert create_app(world.ctx).test_client().get(path).status_code == 200, "open where nothing is said"
