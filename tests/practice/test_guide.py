"""The guide: what ticks a task off and what does not, what is remembered, and who may ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.practice.guide.pages import LANGUAGES, Places, create_guide, texts
from app.practice.guide.tasks import AUTOMATIC, MASS, MEND, SYNC, TASKS, UNDO, Before, Seen, done
from app.practice.guide.witness import Witness
from app.practice.house.demo import Api
from app.practice.server import RunningServer, start_in_thread
from tests.web.visitor import Visitor

PLACES = Places("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", "renshu", "admin@example.com")


def run(name: str, **more: Any) -> dict[str, Any]:
    """A run as Awase's API shows it: by hand, ended, one person written."""
    counts = {"waiting": 0, "succeeded": 1, "failed": 0, "needs_review": 0, "conflict": 0}
    shown = {"id": name, "trigger": "manual", "dry_run": True, "state": "succeeded", "counts": counts}
    shown |= {"undone_run": None}
    return {**shown, **more, "counts": {**counts, **more.get("counts", {})}}


def seen(*runs: Mapping[str, Any], troubled: str = "", written: str = "", accounts: int = 0) -> Seen:
    """Runs, newest first; `troubled` and `written`: the runs in which employee 0069 is so; `accounts`: of each run."""

    def of(names: str) -> dict[str, frozenset[str]]:
        return {name: frozenset({"0069"}) for name in names.split()}

    return Seen(runs, of(troubled), of(written), {each["id"]: accounts for each in runs})


PREVIEW = run("p", state="previewed", counts={"succeeded": 0, "failed": 1})
MASS_PREVIEW = run("m", state="previewed", counts={"succeeded": 0})


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (seen(), set()),
        (seen(PREVIEW), set()),
        (seen(run("a", state="running")), set()),
        (seen(run("a", counts={"succeeded": 0})), set()),
        (seen(run("a")), {SYNC}),
        (seen(run("a", trigger="api")), {SYNC}),
        (seen(run("a", trigger="schedule")), set()),
        (seen(run("a", trigger="webhook")), {AUTOMATIC}),
        (seen(run("u", undone_run="a")), {UNDO}),
        (seen(MASS_PREVIEW, accounts=10), {MASS}),
        (seen(MASS_PREVIEW, accounts=9), set()),
        (seen(run("u", undone_run="m"), accounts=12), {UNDO}),
        (seen(run("b"), run("a"), troubled="a", written="b"), {SYNC, MEND}),
        (seen(run("b"), PREVIEW, troubled="p", written="b"), {SYNC, MEND}),
        (seen(run("b"), run("a"), troubled="b", written="a"), {SYNC}),
        (seen(run("b", trigger="webhook"), run("a"), troubled="a", written="b"), {SYNC, MEND, AUTOMATIC}),
        (seen(run("b", undone_run="a"), run("a"), troubled="a", written="b"), {SYNC, UNDO}),
    ],
)
def test_only_what_has_happened_is_ticked_off(what: Seen, expected: set[str]) -> None:
    assert done(what, Before()) == expected


def test_what_the_house_did_itself_ticks_nothing_off() -> None:
    runs = (MASS_PREVIEW, run("b"), run("a"))
    before = Before.of(runs)
    assert done(seen(*runs, troubled="a", written="b", accounts=12), before) == frozenset()
    assert done(seen(run("c"), *runs, troubled="a", written="b c"), before) == {SYNC, MEND}
    waited = Before.of([PREVIEW])
    assert done(seen(run("p")), waited) == {SYNC}  # the preview that the house has left, carried out


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_task_has_its_words_and_its_way(language: str) -> None:
    words = texts(language)
    assert list(words["tasks"]) == list(TASKS)
    for task in words["tasks"].values():
        links = [step["link"].format(**PLACES.words) for step in task["steps"] if "link" in step]
        assert links and all("{" not in link for link in links)


def test_both_languages_lead_to_the_same_places() -> None:
    one, other = ([s.get("link") for t in texts(each)["tasks"].values() for s in t["steps"]] for each in LANGUAGES)
    assert one == other


# ── before a service that answers as Awase does ───────────────────────────────────────────────────────────────────────


class Answers:
    """What stands behind the API's two routes: runs, newest first, and numbers by run and state."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.people: dict[tuple[str, str], list[str]] = {}
        self.changes = "title"
        self.asked = 0

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.asked += 1
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        items: list[Any] = self.runs
        if path.endswith("/items"):
            state = query.partition("state=")[2].partition("&")[0]
            people = self.people.get((path.split("/")[4], state), [])
            items = [{"employee_number": each, "changes": [{"key": self.changes}]} for each in people]
        body = json.dumps({"items": items, "next_after": None}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def awase(answers: Answers) -> Any:
    server: RunningServer = start_in_thread(answers)
    yield server
    server.stop()


@pytest.fixture
def witness(awase: RunningServer, tmp_path: Path) -> Callable[[], Witness]:
    """A new one each time, as after a restart."""

    def made() -> Witness:
        new = Witness(Api(awase.url, "a-key", patience=0), "renshu", tmp_path / "guide.json")
        new.begin()
        return new

    return made


def test_a_tick_stays_across_a_restart(answers: Answers, witness: Callable[[], Witness]) -> None:
    answers.runs = [run("own", counts={"needs_review": 1})]
    answers.people = {("own", "needs_review"): ["0069", ""]}
    first = witness()
    assert first.look() == {}
    answers.runs.insert(0, run("mine"))
    answers.people["mine", "succeeded"] = ["0069"]
    assert set(first.look()) == {SYNC, MEND}
    answers.runs = []  # purged meanwhile
    again = witness()
    assert again.look() == first.done
    again.start_again()
    assert again.look() == {} and witness().done == {}


@pytest.mark.parametrize(("changes", "expected"), [("bank_account_number", {MASS}), ("home_city", set())])
def test_many_accounts_in_a_preview_are_seen(
    answers: Answers, witness: Callable[[], Witness], changes: str, expected: set[str]
) -> None:
    looking = witness()
    answers.runs = [run("m", state="previewed", counts={"succeeded": 0, "waiting": 12})]
    answers.people["m", "waiting"] = [f"{number:04d}" for number in range(12)]
    answers.changes = changes
    assert set(looking.look()) == expected


def test_of_a_run_that_has_ended_the_people_are_asked_for_once(
    answers: Answers, witness: Callable[[], Witness]
) -> None:
    answers.runs = [run("a", counts={"failed": 1})]
    looking = witness()
    looking.look()
    asked = answers.asked
    looking.look()
    assert answers.asked == asked + 1  # for the list alone


def test_a_damaged_note_is_begun_anew(answers: Answers, witness: Callable[[], Witness], tmp_path: Path) -> None:
    (tmp_path / "guide.json").write_text('{"ended": 3')
    answers.runs = [run("own")]
    assert witness().look() == {}


def test_the_page_shows_what_is_done_and_how_to_go_on(answers: Answers, witness: Callable[[], Witness]) -> None:
    client = create_guide(PLACES, witness()).test_client()
    answers.runs = [run("mine")]
    page = Visitor(client)
    page.open("/?lang=ja")
    assert page.text.count('class="task done"') == 1 and page.text.count('class="task"') == 4
    assert "1 / 5" in page.words and "admin@example.com" in page.words
    assert "http://127.0.0.1:1/sync/renshu/smarthr_to_freee" in page.text
    assert "http://127.0.0.1:2/_practice/people/import" in page.text
    assert client.get("/done").get_json() == {"done": [SYNC]}
    page.open("/?lang=en")
    assert 'lang="en"' in page.text and "An unexpected mass change" in page.words
    assert client.get("/", headers={"Accept-Language": "en-GB"}).text.startswith('<!doctype html>\n<html lang="en"')
    for file in ("guide.css", "guide.js"):
        assert client.get(f"/{file}").status_code == 200


def test_starting_over_takes_the_ticks_off(answers: Answers, witness: Callable[[], Witness]) -> None:
    client = create_guide(PLACES, witness()).test_client()
    answers.runs = [run("mine")]
    assert client.get("/done").get_json()["done"] == [SYNC]
    assert client.post("/again").status_code == 403  # not from the page
    assert client.post("/again", headers={"Origin": "http://localhost"}).status_code == 303
    assert client.get("/done").get_json()["done"] == []


def test_the_guide_is_for_this_machine_only(witness: Callable[[], Witness]) -> None:
    client = create_guide(PLACES, witness()).test_client()
    assert client.get("/", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 403
    assert client.get("/", headers={"Host": "guide.example"}).status_code == 403


def test_while_awase_does_not_answer_the_page_says_so(awase: RunningServer, witness: Callable[[], Witness]) -> None:
    client = create_guide(PLACES, witness()).test_client()
    awase.stop()
    assert "Awase が応答していません" in client.get("/?lang=ja").text
    assert client.get("/done").status_code == 503
