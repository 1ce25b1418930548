"""Laws of the guard: whatever stands in Redis, only a function of the table is called, and the next job is done."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import fakeredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rq.job import JobStatus

from app.adapters.job_queue import RqJobQueue
from app.domain.ports import QueuedJob
from tests.workers import jobs_of_tests
from tests.workers.attacks import JOBS, LISTS, MOMENTS, NUMBERS, TEXTS, genuine
from tests.workers.guarded import FUNCTIONS, take_all
from workers.guard import FIELDS, Refused, call_of

_WATCHED = ("import", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")
_heard: list[str] = []
_listening = False


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _listening and event in _WATCHED:
        _heard.append(f"{event} {arguments[0]!r}")


sys.addaudithook(_listen)  # the interpreter's own: it can be neither avoided nor taken out again


@contextmanager
def deeds() -> Iterator[list[str]]:
    """What the interpreter is made to do inside: imports, commands, processes, pickles."""
    global _listening
    _heard.clear()
    _listening = True
    try:
        yield _heard
    finally:
        _listening = False


names = st.sampled_from([*FUNCTIONS, "os.system", "exec", "this.s", "antigravity.webbrowser", "a.b", ""]) | st.text()
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2))
calls = st.tuples(names, st.none() | values, st.lists(st.integers() | values, max_size=3), st.just({}) | values)
packed = (calls | values).map(lambda call: zlib.compress(json.dumps(call).encode()))
moments = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode())
texts = (st.text() | names).map(lambda text: text.encode(errors="surrogatepass"))
numbers = st.integers().map(lambda number: str(number).encode())
states = st.sampled_from([status.value.encode() for status in JobStatus])
contents = st.binary() | packed | moments | texts | numbers | states
fields = st.sampled_from([*FIELDS, *NUMBERS, *TEXTS, *MOMENTS, *LISTS]) | st.text(min_size=1)


@st.composite
def hashes(draw: st.DrawFn) -> dict[str | bytes, object]:
    """A hash of ours with some fields changed or taken away, or any hash."""
    changed = draw(st.dictionaries(fields, contents, min_size=1, max_size=6))
    if draw(st.booleans()):
        return dict(changed)
    without = draw(st.sets(st.sampled_from(list(FIELDS)), max_size=2))
    whole: dict[str, object] = {**genuine(), **changed}
    return {name: value for name, value in whole.items() if name not in without} or {"data": b""}


def encodable(found: dict[str | bytes, object]) -> dict[bytes, object]:
    return {name.encode(errors="surrogatepass") if isinstance(name, str) else name: v for name, v in found.items()}


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """What is loaded at first use is loaded."""
    take_all(fakeredis.FakeStrictRedis())


@settings(max_examples=40, deadline=None)
@given(forged=st.lists(hashes(), max_size=3), entries=st.lists(st.binary(max_size=40), max_size=3), waits=st.booleans())
def test_only_the_table_is_called_and_the_next_job_is_done(
    forged: list[dict[str | bytes, object]], entries: list[bytes], waits: bool
) -> None:
    broker = fakeredis.FakeStrictRedis()
    for number, found in enumerate(forged):
        broker.hset(f"rq:job:f{number}", mapping=encodable(found))  # type: ignore[arg-type]
        if waits:
            broker.rpush("rq:queue:interactive", f"f{number}")
        else:
            broker.zadd("rq:wip:interactive", {f"f{number}:x": 1})
    for entry in entries:
        broker.rpush("rq:queue:interactive", entry)
        broker.zadd("rq:wip:interactive", {entry: 1})
    RqJobQueue(broker).push([QueuedJob("good", "interactive", f"{JOBS}.note", (7,))])
    jobs_of_tests.RAN.clear()
    with deeds() as done:
        worker = take_all(broker)
    assert done == []
    assert 7 in jobs_of_tests.RAN
    assert worker.broken_rounds == 0


@given(hashes())
def test_a_hash_is_a_call_of_the_table_or_refused(found: dict[str | bytes, object]) -> None:
    raw = {str(name): value if isinstance(value, bytes) else str(value).encode() for name, value in found.items()}
    with deeds() as done:
        try:
            call = call_of(raw, FUNCTIONS)
        except Refused:
            assert done == []
            return
    assert done == []
    assert call.function in FUNCTIONS
    assert all(type(argument) is int for argument in call.args)
    assert raw.keys() <= FIELDS.keys()
