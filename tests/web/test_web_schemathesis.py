"""schemathesis plays with the API as its document describes it: no server error, every answer as described."""

from __future__ import annotations

import re

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, seed
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.domain.runs.run_state import ItemState, RunState
from app.use_cases.accounts.api_keys import Scope, add_key
from tests.properties import PROFILE, examples
from tests.web.made import ACCOUNT_CHANGE, NAME_CHANGE, add_delivery, add_run
from tests.web.test_web_scopes import ROUTES
from tests.web.world import KEY, NOW, World

pytestmark = pytest.mark.reach("test")  # long journeys

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


EXAMPLES = 25
_ABOUT_A_PREVIEW = ("employees", "shown", "overwrite")


def written(world: World, run_id: str) -> None:
    """What this run planned is at the target: it can be taken back."""
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run is not None
        for item in uow.items.page(run.id, after=-1, limit=10):
            uow.changes.mark_written(item.id, [NAME_CHANGE.key, ACCOUNT_CHANGE.key])


@pytest.mark.few(7)
@pytest.mark.parametrize(("method", "rule"), sorted(ROUTES))
def test_no_answer_is_unexpected(method: str, rule: str, world: World, app: Flask) -> None:
    """By hand instead of schemathesis' own pytest fixtures, which do not know this pytest."""
    changes = [NAME_CHANGE, ACCOUNT_CHANGE]
    known = [
        add_run(world, ItemState.SUCCEEDED, ItemState.FAILED, ItemState.CONFLICT, changes=changes),
        add_run(world, ItemState.WAITING, state=RunState.PREVIEWED, changes=changes),
    ]
    written(world, known[0])
    headers = {"Authorization": f"Bearer {add_key(world.ctx, 'schemathesis', list(Scope))}"}
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    operation = schema[re.sub(r"<\w+:(\w+)>", r"{\1}", rule)][method]
    known_parts = {"key": KEY, "delivery_id": add_delivery(world, "crew-1", "crew-2")}
    fitting = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    unfitting = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    statuses: set[int] = set()

    @(seed(20261122) if PROFILE == "same" else lambda found: found)
    @examples(
        EXAMPLES * (3 if rule.endswith("/approve") else 1),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(fitting, unfitting), use_known=st.booleans(), pick=st.sampled_from(known))
    def play(case: schemathesis.Case, use_known: bool, pick: str) -> None:
        if use_known:
            case.path_parameters |= {n: {**known_parts, "run_id": pick}[n] for n in case.path_parameters}
            if isinstance(case.body, dict) and "connection" in case.body:
                case.body["connection"] = KEY
            if isinstance(case.body, dict) and "as_of_date" in case.body:
                # A day at random is mostly out of range, and which days are tried hangs on the modules loaded.
                case.body["as_of_date"] = NOW.date().isoformat()
            if isinstance(case.body, dict) and rule.endswith("/deliveries/replay"):
                case.body |= {"since": NOW.isoformat(), "until": NOW.isoformat()}
            if isinstance(case.body, dict) and rule.endswith("/approve"):
                # Numbers, items and a moment at random fit no preview.
                case.body = {name: value for name, value in case.body.items() if name not in _ABOUT_A_PREVIEW}
            if "connection" in (case.query or {}):
                case.query["connection"] = KEY
            if "as_of_date" in (case.query or {}):
                case.query["as_of_date"] = NOW.date().isoformat()
        answer = case.call_and_validate(headers=headers, checks=CHECKS)
        statuses.add(answer.status_code)

    play()
    assert statuses & {200, 202}, f"only refusals were tried: {statuses}"
