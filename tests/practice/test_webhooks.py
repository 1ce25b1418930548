"""Delivery: what counts as delivered, retries, order, copies, losses, slow receivers, the log, an end and a return."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.practice.vendor_kit.fault_injection import FaultInjector
from app.practice.vendor_kit.webhook_messages import Queue, Target
from app.practice.vendor_kit.webhook_schedule import SMARTHR, SMARTHR_RETRIES, Schedule
from app.practice.vendor_kit.webhooks import PER_RECEIVER, Deliverer
from tests.practice.webhook_receiver import Receiver


class Post:
    """A deliverer with receivers by name."""

    def __init__(self, **receivers: Receiver | str) -> None:
        self.injector = FaultInjector(SMARTHR)
        self.injector.set_switches({"webhook_time_scale": 0.001, "webhook_retries": "sandbox"})
        self.receivers = receivers
        self.exhausted: list[str] = []
        self.noted: list[dict[str, Any]] = []
        schedule = Schedule(
            self.injector.switch, 60.0, lambda: SMARTHR_RETRIES[self.injector.switch("webhook_retries")]
        )
        self.deliverer = Deliverer(
            schedule, target=self.target, exhausted=self.exhausted.append, note=self.noted.append
        )

    def target(self, name: str) -> Target | None:
        found = self.receivers.get(name)
        if found is None:
            return None
        return Target(found if isinstance(found, str) else found.url, {"X-Secret": "秘密"})

    def send(self, number: int, *people: str, to: str = "a") -> None:
        body = json.dumps({"event": "e", "n": number})
        self.deliverer.send("e", body, people=people or (f"p{number}",), receiver=to)

    def lines(self) -> list[tuple[int, int, int | None, bool]]:
        return [(each.seq, each.attempt, each.status, each.done) for each in self.deliverer.log]


Open = Callable[..., Receiver]


@pytest.fixture
def receiver_of() -> Iterator[Open]:
    opened: list[Receiver] = []

    def one(*statuses: int) -> Receiver:
        opened.append(Receiver(*statuses))
        return opened[-1]

    yield one
    for each in opened:
        each.stop()


@pytest.fixture
def post(receiver_of: Open) -> Iterator[Post]:
    post = Post(a=receiver_of())
    yield post
    for each in post.receivers.values():
        if isinstance(each, Receiver):
            each.gate.set()
    post.deliverer.stop()


def receiver(post: Post, name: str = "a") -> Receiver:
    found = post.receivers[name]
    assert isinstance(found, Receiver)
    return found


def numbers(of: Receiver) -> list[int]:
    return [each["n"] for each in of.bodies]


def test_a_2xx_is_the_end(post: Post) -> None:
    post.send(1)
    assert post.deliverer.wait_idle(10)
    assert post.lines() == [(1, 1, 204, True)]
    came = receiver(post).received[0]
    assert came.headers["content-type"] == "application/json"
    assert came.headers["x-secret"].encode("latin-1").decode() == "秘密"
    assert post.exhausted == []


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again(post: Post, status: int) -> None:
    receiver(post).statuses = [status]
    post.send(1)
    assert post.deliverer.wait_idle(10)
    assert post.lines() == [(1, 1, status, False), (1, 2, 204, True)]
    assert [each.path for each in receiver(post).received] == ["/hook", "/hook"]


def test_retries_end_and_are_told(post: Post) -> None:
    receiver(post).statuses = [500] * 100
    post.send(1)
    assert post.deliverer.wait_idle(20)
    assert [each[1:] for each in post.lines()] == [(n, 500, n == 6) for n in range(1, 7)]
    assert post.exhausted == ["a"]


def test_nobody_listening_is_a_failure_like_any_other(post: Post) -> None:
    post.receivers["b"] = "http://127.0.0.1:9/hook"
    post.receivers["c"] = "http://" + "x" * 70 + ".example/hook"  # no name anybody can look up
    post.send(1, to="b")
    post.send(2, to="c")
    assert post.deliverer.wait_idle(20)
    assert sorted(post.exhausted) == ["b", "c"]
    assert {each.status for each in post.deliverer.log} == {None}
    assert all(each.error for each in post.deliverer.log)


def test_no_answer_in_time_is_a_failure(post: Post) -> None:
    receiver(post).gate.clear()
    post.send(1)
    assert receiver(post).wait_for(2)  # the second attempt, while the first was never answered
    receiver(post).gate.set()
    assert post.deliverer.wait_idle(10)
    first = post.deliverer.log[0]
    assert (first.status, first.error, first.done) == (None, "ReadTimeout", False)
    assert first.seconds > 0.9


@pytest.mark.parametrize(("kind", "seconds"), [("sandbox", 8 * 60), ("production", 2.83 * 86_400)])
def test_the_schedule_fits_the_published_totals(kind: str, seconds: float) -> None:
    injector = FaultInjector(SMARTHR)
    schedule = Schedule(injector.switch, 60.0, lambda: 0)
    total = sum(schedule.before_retry(n) for n in range(1, SMARTHR_RETRIES[kind] + 1))
    assert total == pytest.approx(seconds, rel=0.15)
    injector.set_switch("webhook_time_scale", 0.01)
    assert schedule.before_retry(3) < 1
    assert schedule.timeout == 1.0
    injector.set_switch("webhook_time_scale", 1.0)
    assert schedule.timeout == 60.0


def test_one_persons_events_come_in_order(post: Post) -> None:
    receiver(post).statuses = [500]  # the first attempt of the first: its retry may come later
    for number in range(30):
        post.send(number, "same")
    assert post.deliverer.wait_idle(20)
    came = numbers(receiver(post))
    assert came[0] == 0
    assert [each for each in came if each] == list(range(1, 30))
    assert came.count(0) == 2


def test_an_event_of_many_waits_for_each_of_them(post: Post) -> None:
    receiver(post).gate.clear()
    post.send(1, "x")
    post.send(2, "y")
    post.send(3, "x", "y")
    post.send(4, "z")
    assert receiver(post).wait_for(3)
    assert sorted(numbers(receiver(post))) == [1, 2, 4]
    receiver(post).gate.set()
    assert post.deliverer.wait_idle(10)
    assert numbers(receiver(post))[3] == 3


def test_shuffled_events_lose_their_order(post: Post) -> None:
    post.injector.set_switch("webhook_order", "shuffled")
    for number in range(30):
        post.send(number, "same")
    assert post.deliverer.wait_idle(20)
    assert sorted(numbers(receiver(post))) == list(range(30))
    assert numbers(receiver(post)) != list(range(30))


def test_copies(post: Post) -> None:
    post.injector.set_switch("webhook_duplicates", 2)
    post.send(1)
    assert post.deliverer.wait_idle(10)
    assert numbers(receiver(post)) == [1, 1, 1]
    assert [each.copy for each in post.deliverer.log] == [0, 1, 2]


@pytest.mark.parametrize(("loss", "arrive"), [("all", []), ("every_third", [1, 2, 4, 5, 7])])
def test_losses(post: Post, loss: str, arrive: list[int]) -> None:
    post.injector.set_switch("webhook_loss", loss)
    for number in range(1, 8):
        post.send(number, "same")
    assert post.deliverer.wait_idle(10)
    assert numbers(receiver(post)) == arrive
    lost = [each for each in post.deliverer.log if each.error == "lost"]
    assert len(lost) == 7 - len(arrive)
    assert all((each.attempt, each.status, each.done) == (0, None, True) for each in lost)


def test_a_delay_before_the_first_attempt(post: Post) -> None:
    post.injector.set_switch("webhook_delay", 1)
    began = time.time()
    post.send(1)
    assert post.deliverer.waiting == 1
    assert post.deliverer.wait_idle(10)
    assert post.deliverer.log[0].at - began >= 1


def test_a_slow_receiver_does_not_hold_up_the_others(post: Post, receiver_of: Open) -> None:
    slow = receiver_of()
    slow.gate.clear()
    post.receivers["slow"] = slow
    post.injector.set_switch("webhook_time_scale", 1.0)  # nobody gives up in this test
    for number in range(20):
        post.send(number, to="slow")
    assert slow.wait_for(PER_RECEIVER)
    for number in range(20):
        post.send(number)
    assert receiver(post).wait_for(20)
    assert len(slow.received) == PER_RECEIVER
    slow.gate.set()
    assert post.deliverer.wait_idle(20)
    assert sorted(numbers(slow)) == list(range(20))


def test_connections_are_kept(post: Post) -> None:
    for number in range(40):
        post.send(number)
    assert post.deliverer.wait_idle(20)
    assert len(receiver(post).received) == 40
    assert receiver(post).connections <= PER_RECEIVER * 2


def test_a_receiver_that_is_gone_gets_nothing(post: Post) -> None:
    post.send(1, to="unknown")
    assert post.deliverer.wait_idle(10)
    assert [(each.status, each.error, each.done) for each in post.deliverer.log] == [(None, "gone", True)]
    assert post.exhausted == []


def test_the_log_has_no_bodies_and_is_noted(post: Post) -> None:
    post.send(77, "p1", "p2")
    assert post.deliverer.wait_idle(10)
    (line,) = post.noted
    assert line["kind"] == "webhook"
    assert line["people"] == ["p1", "p2"]
    assert "body" not in line
    assert "秘密" not in json.dumps(line, ensure_ascii=False)
    told = repr(post.deliverer.log) + repr(Target("u", {"X": "秘密"}))
    assert "秘密" not in told


def test_stopped_and_gone_on(post: Post) -> None:
    post.deliverer.stop()
    post.send(1)
    assert not post.deliverer.wait_idle(0.1)
    assert receiver(post).received == []
    post.deliverer.start()
    assert post.deliverer.wait_idle(10)
    assert numbers(receiver(post)) == [1]


def test_the_queue_in_another_process(post: Post, receiver_of: Open) -> None:
    """What was waiting goes on in order, with its numbers and its count of attempts."""
    post.deliverer.stop()
    for number in (1, 2, 3):
        post.send(number, "same")
    kept = json.loads(json.dumps(post.deliverer.kept()))
    kept["open"][0]["attempts"] = 5
    other = Post(a=receiver_of(500))
    other.deliverer.resume(Queue.of(kept))
    assert other.deliverer.wait_idle(10)
    other.send(4)
    assert other.deliverer.wait_idle(10)
    by_seq = {each.seq: (each.attempt, each.done) for each in other.deliverer.log}
    assert by_seq[1][0] == 6
    assert set(by_seq) == {1, 2, 3, 4}
    came = [each for each in numbers(receiver(other)) if each != 1]
    assert list(dict.fromkeys(came)) == [2, 3, 4]
    other.deliverer.stop()


def test_cleared_while_an_attempt_is_under_way(post: Post) -> None:
    receiver(post).gate.clear()
    post.send(1)
    assert receiver(post).wait_for(1)
    post.deliverer.clear()
    assert post.deliverer.wait_idle(0)
    receiver(post).gate.set()
    post.send(2)
    assert post.deliverer.wait_idle(10)
    assert post.lines() == [(2, 1, 204, True)]
