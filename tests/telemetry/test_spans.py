"""The seam: how spans nest, what of them is told, and that nothing is while nobody listens."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.errors import TemporaryError
from app.telemetry import spans
from app.telemetry.places import Place, anywhere, of_delivery, of_run
from app.telemetry.spans import Span

RUN = "cf4a8186-8d31-4888-bad6-69f04cfcb909"


class Kept:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def take(self, span: Span) -> None:
        self.spans.append(span)

    def one(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
def kept() -> Iterator[Kept]:
    sink = Kept()
    spans.lead_to(sink)
    yield sink
    spans.lead_to(None)


def test_what_is_done_inside_stands_under_it_in_one_trace(kept: Kept) -> None:
    with spans.span("item", under=of_run(RUN), item_id=7):
        spans.begin("step", step="profile")
        spans.just_ended("vendor call", seconds=0.5, method="PUT")
        spans.end("step")
    item, step, call = (kept.one(name) for name in ("item", "step", "vendor call"))
    assert (item.parent, step.parent, call.parent) == (of_run(RUN), item.place, step.place)
    assert {each.place.trace_id for each in kept.spans} == {of_run(RUN).trace_id}
    assert len({each.place.span_id for each in kept.spans} | {of_run(RUN).span_id}) == 4
    assert call.ended - call.started == pytest.approx(5e8, rel=0.1)
    assert item.started <= step.started and step.ended <= item.ended
    assert item.attributes == {"awase.item.id": 7}


def test_an_exception_is_a_failure_with_its_code_and_leaves_nothing_open(kept: Kept) -> None:
    with pytest.raises(TemporaryError), spans.span("item"):
        spans.begin("step", step="create")
        raise TemporaryError("rate_limited")
    assert [(each.name, each.failed) for each in kept.spans] == [("step", True), ("item", True)]
    assert kept.one("item").attributes == {"awase.code": "rate_limited"}
    with spans.span("survey"):
        pass
    assert kept.one("survey").parent is None


def test_a_calm_exception_is_no_failure(kept: Kept) -> None:
    with pytest.raises(StopIteration), spans.span("item", calm=(StopIteration,)):
        raise StopIteration
    assert not kept.one("item").failed


def test_the_end_of_another_span_closes_nothing(kept: Kept) -> None:
    spans.end("step")
    with spans.span("item"):
        spans.end("step")
    assert [each.name for each in kept.spans] == ["item"]


def test_what_is_known_later_is_told_with_the_innermost(kept: Kept) -> None:
    spans.tell(failed=True, code="E7")
    with spans.span("item"):
        spans.tell(state="failed", code="E7", failed=True)
    assert kept.one("item").attributes == {"awase.state": "failed", "awase.code": "E7"}
    assert kept.one("item").failed


def test_threads_do_not_stand_under_each_other(kept: Kept) -> None:
    def beside() -> None:
        spans.just_ended("mail", seconds=0.0)

    with spans.span("item"):
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
    assert kept.one("mail").parent is None


def test_a_run_is_told_as_a_whole(kept: Kept) -> None:
    began = datetime(2026, 11, 22, tzinfo=UTC)
    spans.whole("run", at=of_run(RUN), began=began, ended=began + timedelta(hours=2), run_id=RUN)
    run = kept.one("run")
    assert (run.place, run.parent) == (of_run(RUN), None)
    assert (run.started, run.ended - run.started) == (int(began.timestamp() * 1e9), 7200 * 10**9)


def test_places_follow_from_what_the_database_holds() -> None:
    assert of_run(RUN) == of_run(RUN) != of_run(RUN.replace("c", "d"))
    assert of_delivery(1, "a") != of_delivery(1, "b"), "two installations have a first delivery each"
    assert of_delivery(1, "a").trace_id != of_delivery(2, "a").trace_id
    drawn = [anywhere() for _ in range(50)]
    assert len({each.trace_id for each in drawn} | {each.span_id for each in drawn}) == 100
    for place in (*drawn, of_run(RUN), of_delivery(1, "a")):
        assert 0 < place.trace_id < 2**128 and 0 < place.span_id < 2**64
    assert anywhere(5).trace_id == 5


def test_nothing_is_told_while_nobody_listens() -> None:
    assert not spans.is_on()
    with spans.span("item", item_id=1):
        spans.begin("step")
        spans.tell(code="E7")
        spans.just_ended("vendor call", seconds=1.0)
        spans.end("step")
    spans.whole("run", at=Place(1, 1), began=datetime.now(UTC), ended=datetime.now(UTC))
    sink = Kept()
    spans.lead_to(sink)
    try:
        with spans.span("item"):
            pass
    finally:
        spans.lead_to(None)
    assert [(each.name, each.parent) for each in sink.spans] == [("item", None)], "what went before left nothing open"


def test_a_forked_child_tells_nobody(kept: Kept) -> None:
    with spans.span("item"):
        child = os.fork()
        if not child:
            os._exit(3 if spans.is_on() else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert spans.is_on()
