"""Each route with each scope: exactly one opens it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from app.use_cases.accounts.api_keys import Scope
from tests.web.world import World

Bearer = Callable[..., dict[str, str]]

ROUTES = {
    ("POST", "/api/v1/runs"): Scope.RUNS_WRITE,
    ("GET", "/api/v1/runs"): Scope.RUNS_READ,
    ("GET", "/api/v1/attention"): Scope.RUNS_READ,
    ("GET", "/api/v1/runs/<public_id:run_id>"): Scope.RUNS_READ,
    ("GET", "/api/v1/runs/<public_id:run_id>/items"): Scope.RUNS_READ,
    ("POST", "/api/v1/runs/<public_id:run_id>/approve"): Scope.RUNS_WRITE,
    ("POST", "/api/v1/runs/<public_id:run_id>/retry"): Scope.RUNS_WRITE,
    ("POST", "/api/v1/runs/<public_id:run_id>/cancel"): Scope.RUNS_WRITE,
    ("POST", "/api/v1/runs/<public_id:run_id>/undo"): Scope.RUNS_WRITE,
    ("GET", "/api/v1/employees"): Scope.EMPLOYEES_READ,
    ("GET", "/api/v1/queue"): Scope.OPS_READ,
    ("POST", "/api/v1/queue/requeue"): Scope.OPS_WRITE,
    ("GET", "/api/v1/connections"): Scope.OPS_READ,
    ("POST", "/api/v1/connections/<public_id:key>/pause"): Scope.OPS_WRITE,
    ("POST", "/api/v1/connections/<public_id:key>/resume"): Scope.OPS_WRITE,
    ("GET", "/api/v1/deliveries"): Scope.OPS_READ,
    ("GET", "/api/v1/deliveries/<int:delivery_id>"): Scope.OPS_READ,
    ("POST", "/api/v1/deliveries/<int:delivery_id>/replay"): Scope.OPS_WRITE,
    ("POST", "/api/v1/deliveries/replay"): Scope.OPS_WRITE,
}


def test_the_table_names_every_route(app: Flask) -> None:
    served = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(ROUTES)


@pytest.mark.parametrize("scope", list(Scope))
def test_only_the_named_scope_opens_a_route(scope: Scope, app: Flask, bearer: Bearer, world: World) -> None:
    client, headers = app.test_client(), bearer(scope)
    for (method, rule), needed in ROUTES.items():
        path = re.sub(r"<public_id:\w+>", "none", rule).replace("<int:delivery_id>", "404")
        status = client.open(path, method=method, headers=headers).status_code
        assert (status == 403) == (scope is not needed), (method, rule, status)
        assert status not in (401, 500)


def test_nothing_opens_without_a_key(app: Flask) -> None:
    for method, rule in ROUTES:
        path = re.sub(r"<public_id:\w+>", "none", rule).replace("<int:delivery_id>", "404")
        assert app.test_client().open(path, method=method).status_code == 401, rule
