"""What a collector gets of a whole house: one trace a run, webhooks that point at it, figures, and nobody's data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from app.domain.enums import Direction
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.telemetry.places import of_run
from app.telemetry.process import telling
from app.use_cases.intake.webhook_intake import sort_received
from app.use_cases.monitoring.counters import count_once
from tests.collector import Collector
from tests.house import KEY, House
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import settle
from tests.web.application import application_on, operator_of
from tests.web.hooks import CANARIES, smarthr_body
from workers.figures import tell_figures

pytestmark = [pytest.mark.reach("test"), pytest.mark.database("sqlite")]  # long journeys
TO_FREEE = Direction.SMARTHR_TO_FREEE
SECRET = "an-invented-webhook-secret"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as opened:
        yield opened


@pytest.fixture
def told(open_practice: Callable[..., House], collector: Collector) -> House:
    return open_practice(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"{collector.url}/",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer an-invented-key",
    )


def telling_of(house: House, part: str) -> AbstractContextManager[None]:
    return telling(house.ctx.settings, part)


def test_a_run_is_one_trace_from_the_run_to_the_vendor_call(told: House, collector: Collector) -> None:
    with telling_of(told, "worker_bulk"):
        run = told.run(TO_FREEE)
    (whole,) = collector.named("run")
    place = of_run(run.id)
    assert (whole.trace, whole.id, whole.parent) == (place.trace_id, place.span_id, 0)
    assert whole.attributes["awase.run.id"] == run.id
    assert whole.attributes["awase.state"] == "partly_failed"
    assert whole.attributes["awase.people"] == sum(run.counts.values())
    mine = {span.id: span for span in collector.spans if span.trace == place.trace_id}
    assert len(mine) == len(collector.spans), "everything that was done belongs to the run"
    parents = {
        name: {mine[each.parent].name for each in mine.values() if each.name == name}
        for name in ("survey", "item", "step", "mail")
    }
    assert parents == {"survey": {"run"}, "item": {"run"}, "step": {"item"}, "mail": {"run"}}
    written = [each for each in collector.named("vendor call") if each.attributes["http.request.method"] != "GET"]
    assert len(written) == told.writes() > 20
    assert {mine[each.parent].name for each in written} == {"step"}
    assert len(collector.named("vendor call")) == told.calls()
    assert {each.attributes["url.template"] for each in collector.named("vendor call")} >= {
        "/v1/crews",
        "/api/v1/companies/{id}/employees",
        "/api/v1/employees/{id}/profile_rule",
    }


def test_each_item_tells_its_end_and_its_code(told: House, collector: Collector) -> None:
    refusal = {
        "status_code": 400,
        "errors": [{"type": "bad_request", "messages": ["架空 太郎さんの姓カナが不正です。"]}],
    }
    told.freee_injector.fault(method="PUT", path="/profile_rule", nth=2, times=1, status=400, body=refusal)
    with telling_of(told, "worker_bulk"):
        run = told.run(TO_FREEE)
    items = {item.id: item for item in told.items(run)}
    seen = [(items[span.attributes["awase.item.id"]], span) for span in collector.named("item")]
    assert len(seen) > 10
    for item, span in seen:
        assert span.attributes["awase.attempt"] == item.attempt == 1
        assert span.attributes.get("awase.code") == item.error_code
        assert span.failed == (item.state.value == "failed")
    (broken,) = [span for span in collector.named("step") if span.failed]
    (span,) = [span for _, span in seen if span.id == broken.parent]
    assert span.failed
    assert span.attributes["awase.code"] == broken.attributes["awase.code"]
    assert broken.attributes["awase.step"] == "profile"


def test_who_tells_it_is_said_and_the_key_is_sent(told: House, collector: Collector) -> None:
    with telling_of(told, "worker_bulk"):
        told.run(TO_FREEE, employees=None, dry_run=True)
    assert {each["authorization"] for each in collector.headers} == {"Bearer an-invented-key"}
    assert {path for path, _ in collector.bodies} == {"/v1/traces"}
    (resource,) = {tuple(sorted(span.resource.items())) for span in collector.spans}
    named = dict(resource)
    assert (named["service.name"], named["awase.process"]) == ("awase", "worker_bulk")


def test_a_webhook_and_the_run_it_began_point_at_each_other(
    open_practice: Callable[..., House], company: PracticeCompany, collector: Collector
) -> None:
    house = open_practice(only(company, "equal", most=3), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    settle(house)
    with house.ctx.unit_of_work() as uow:
        connection = house.connection
        uow.connections.set_options(replace(connection, automatic=Automatic.BOTH))
        uow.webhook_registrations.set_secret(connection.id, SECRET, previous_until=house.clock.now())
    crew = house.smarthr.crews[0]["id"]
    client = operator_of(application_on(house.ctx), house.ctx)
    with telling_of(house, "web"):
        for _ in range(2):  # the second is a repetition
            sent = client.post(
                f"/webhooks/smarthr/{KEY}",
                data=smarthr_body("crew_updated", crew, full=True),
                headers={"X-SmartHR-Token": SECRET, "Content-Type": "application/json"},
            )
            assert sent.status_code == 202
    with telling_of(house, "relay"):
        sort_received(house.ctx)
    house.clock.turn(seconds=60)
    with telling_of(house, "worker_interactive"):
        house.work()
    first, again = sorted(collector.named("webhook"), key=lambda span: span.attributes["awase.repeated"])
    assert again.attributes["awase.repeated"] and again.trace != first.trace
    assert first.attributes["awase.event"] == "crew_updated"
    (sorted_,) = collector.named("webhook sorted")
    (run,) = collector.named("run")
    (item,) = collector.named("item")
    assert (sorted_.trace, sorted_.parent) == (first.trace, first.id)
    assert sorted_.links == [(run.trace, run.id)]
    assert item.links == [(first.trace, first.id)]
    assert (item.trace, item.parent) == (run.trace, run.id)
    assert [canary for canary in CANARIES for _, body in collector.bodies if canary.encode() in body] == []


def test_nothing_of_a_person_is_in_any_byte(told: House, collector: Collector) -> None:
    """Both ways, faults included: names, numbers, addresses and the vendors' ids of people of the whole company."""
    told.freee_injector.fault(method="PUT", path="/profile_rule", nth=2, times=1, status=500, body="金糸雀二 鳴子")
    with telling_of(told, "worker_bulk"):
        told.run(TO_FREEE)
        told.run(Direction.FREEE_TO_SMARTHR)
        count_once(told.ctx)
        tell_figures(told.ctx)
    sent = b"".join(body for _, body in collector.bodies)
    people = told.smarthr.crews
    assert len(people) > 50
    words = {
        str(crew[key])
        for crew in people
        for key in ("id", "last_name", "first_name", "last_name_yomi", "emp_code", "birth_at", "tel_number")
        if len(str(crew.get(key) or "")) > 3
    }
    assert len(words) > 200
    # Four digits also stand in the middle of ids and process numbers by chance; a number that is told begins anew.
    chance = {word: rb"(?<![0-9A-Za-z-])" if re.fullmatch(r"\d{4}", word) else b"" for word in words}
    assert [word for word in words if re.search(chance[word] + re.escape(word.encode()), sent)] == []
    assert "練習用の会社".encode() not in sent


def test_the_figures_are_those_of_metrics(told: House, collector: Collector) -> None:
    with telling_of(told, "cron"):
        told.run(TO_FREEE)
        told.clock.turn(seconds=300)
        count_once(told.ctx)
        assert tell_figures(told.ctx)
        assert not tell_figures(told.ctx, holder="another process"), "one process tells the figures of all"
    found = collector.metrics
    client = operator_of(application_on(told.ctx), told.ctx)
    shown = {
        line.split("{")[0].split(" ")[0]: line
        for line in client.get("/metrics").text.splitlines()
        if line and line[0] != "#"
    }
    plain = {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        for name in shown
        if not name.endswith("_created")
    }
    assert set(found) == plain
    (calls,) = [
        point.as_double
        for point in found["awase_vendor_calls_total"].sum.data_points
        if "freee" in str(point.attributes)
    ]
    assert calls == sum("/public_api/" not in request.path for request in told.freee_injector.requests)
    assert found["awase_vendor_calls_total"].sum.is_monotonic
    seconds = found["awase_run_seconds"].histogram.data_points[0]
    assert seconds.count == sum(seconds.bucket_counts) == 1
    assert len(seconds.bucket_counts) == len(seconds.explicit_bounds) + 1


def test_without_a_collector_nothing_is_told(house: House, collector: Collector) -> None:
    with telling_of(house, "worker_bulk"):
        house.run(TO_FREEE, dry_run=True)
    assert collector.bodies == []
