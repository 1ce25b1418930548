"""What a release leaves behind when its processes are killed in the middle of a run, told as JSON lines.

Runs inside a checkout of that release, with that release's own code and its practice vendors (`make.py` starts it).
So it uses only what every release has: `tests/house.py`, the command line, the vendors' memory.
It is noon in Japan on the company's day in there, for the code and for both vendors.

What is left: a finished run with its mail sent; a finished run whose mail waits; a run that nobody has surveyed yet; a
run in progress, of whose employees some are done, one is half written and held under a lease, the others are queued; a
user and an API key. The first line says where everything is, then comes a line a row, then one a vendor.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import re
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import time_machine

TODAY = date(2026, 11, 11)
NOON = datetime(2026, 11, 11, 3, tzinfo=UTC)
WANTED = {"equal": 3, "update": 5, "create": 4, "review": 2, "fail": 1, "not_offered": 1}
"""So many people of each outcome (SmartHR → freee, first run)."""
IDENTITY = "the identity of an invented installation"
PASSWORD = "kuroi-neko-to-aoi-sora-27"
DONE, ROUNDS = 3, 50


def module(*names: str) -> Any:
    """The first of these modules that this release has."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and not name.startswith(error.name):
                raise
    raise ModuleNotFoundError(names[0])


def relay_once(house: Any) -> None:
    module("tests.house").relay.relay_once(house.ctx)


def small_company() -> Any:
    company = module("app.practice.staff.practice_company", "app.practice.staff").build_company(TODAY)
    stories = "scenarios" if hasattr(company, "scenarios") else "stories"
    seen: Counter[str] = Counter()
    kept = []
    for each in getattr(company, stories):
        outcome = each.to_freee.partition(":")[0]
        seen[outcome] += 1
        if seen[outcome] <= WANTED.get(outcome, 0):
            kept.append(each)
    crews, employees = {each.crew_id for each in kept}, {each.employee_id for each in kept}
    return replace(
        company,
        crews=[crew for crew in company.crews if crew["id"] in crews],
        employees=[employee for employee in company.employees if employee["id"] in employees],
        **{stories: kept},
    )


def numbers(company: Any, outcome: str) -> list[str]:
    """従業員番号 of those with this outcome."""
    stories = company.scenarios if hasattr(company, "scenarios") else company.stories
    return [each.number for each in stories if each.to_freee == outcome]


def leave(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines, first to last. Raises what the release raises."""
    tests_house = module("tests.house")
    ways = module("app.domain.enums", "app.domain.words").Direction
    to_freee, to_smarthr = ways.SMARTHR_TO_FREEE, ways.FREEE_TO_SMARTHR
    company = small_company()
    house = tests_house.open_house(folder, company, HOUSE_FILE=house_file(folder))
    house.clock.instant = NOON
    key = people_of_the_house(house)
    equal, updated = numbers(company, "equal"), numbers(company, "update")
    runs = {"mailed": house.run(to_freee, employees=(updated[0], updated[1]))}
    house.clock.turn(minutes=10)
    runs["in_progress"] = house.start(to_freee)
    waiting: list[Any] = []
    for _ in range(ROUNDS):
        relay_once(house)
        for job in house.queue.take():
            waiting.append(job) if job.function.endswith("sync_item") else house.do(job)
        if waiting:
            break
    database = folder / "awase.db"
    half = next(job for job in waiting if is_to_be_created(database, job))
    for job in [each for each in waiting if each is not half][:DONE]:
        house.do(job)
    runs["mail_waits"] = house.start(to_smarthr, employees=(equal[0],))
    finish_without_mail(house, database, runs["mail_waits"])
    runs["waits"] = house.start(to_smarthr, employees=(equal[1], equal[2]))
    house.clock.turn(seconds=5)
    left = killed_in_the_middle(house, half, database, folder)
    house.close()
    yield {
        "taken_at": house.clock.now().isoformat(),
        "revision": revision_of(left["database"]),
        "api_key": key,
        "runs": {name: run.id for name, run in runs.items()},
        "half_written": half.args[0],
        "schema": schema_of(left["database"]),
    }
    yield from rows_of(left["database"])
    for vendor in ("smarthr", "freee"):
        yield {"vendor": vendor, "kept": left[vendor]}


def house_file(folder: Path) -> str:
    """The identity of the installation, for releases that have one: not bound to this machine."""
    file = folder / "identity"
    file.write_text(IDENTITY, encoding="ascii")
    return str(file)


def finish_without_mail(house: Any, database: Path, run: Any) -> None:
    """Work this run to its end and no further; the jobs of the others, queued by now, are left where they are."""
    number = asked(database, "SELECT id FROM runs WHERE public_id = ?", str(run.id))[0]
    for _ in range(ROUNDS):
        relay_once(house)
        for job in house.queue.take():
            if not job.function.endswith("sync_item") or run_of(database, job) == number:
                house.do(job)
        if house.seen(run).finished_at is not None:
            return
    raise RuntimeError("the run does not end")


def killed_in_the_middle(house: Any, job: Any, database: Path, folder: Path) -> dict[str, Any]:
    """Database and vendors as they were just before the last request of this job: what a SIGKILL there would leave."""
    left: dict[str, Any] = {"database": folder / "left.db"}
    granted = house.limiter.reserve

    def reserve(*given: Any) -> float:
        left["database"].unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(left["database"])) as target:
            source.backup(target)
        for name, vendor in (("smarthr", house.smarthr), ("freee", house.freee)):
            memory = vendor.memory
            with memory.lock:
                left[name] = json.loads(json.dumps(memory.give()))
        return float(granted(*given))

    house.limiter.reserve = reserve
    house.do(job)
    return left


def people_of_the_house(house: Any) -> str:
    """A user and an API key, made by the release's command line; returns the key."""
    cli = module("app.factory").create_app(house.ctx).test_cli_runner()

    def flask(*arguments: str) -> str:
        done = cli.invoke(args=list(arguments), env={"AWASE_PASSWORD": PASSWORD})
        if done.exit_code:
            raise RuntimeError(f"flask {arguments[0]} {arguments[1]}: {done.output}")
        return str(done.output)

    flask("user", "add", "jinji@example.com", "--role", "admin")
    told = flask("key", "add", "--name", "勤怠", "--scope", "runs:read", "--scope", "runs:write")
    found = re.search(r"\bawase_\S+", told)
    if found is None:
        raise ValueError("the command line has told no key")
    return found.group()


def asked(database: Path, query: str, *values: object) -> Any:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query, values).fetchone()


def run_of(database: Path, job: Any) -> int:
    return int(asked(database, "SELECT run_id FROM items WHERE id = ?", job.args[0])[0])


def is_to_be_created(database: Path, job: Any) -> bool:
    return asked(database, "SELECT target_id FROM items WHERE id = ?", job.args[0])[0] is None


def revision_of(database: Path) -> str:
    return str(asked(database, "SELECT version_num FROM alembic_version")[0])


def schema_of(database: Path) -> dict[str, str]:
    """Name → the statement that makes it, as SQLite keeps it; blanks made one."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%' ORDER BY name"
    with closing(sqlite3.connect(database)) as connection:
        return {name: " ".join(sql.split()) for name, sql in connection.execute(query)}


def rows_of(database: Path) -> Iterator[dict[str, Any]]:
    """A line a row; bytes as {"base64": …}."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version' ORDER BY name"
        ).fetchall()
        for (table,) in tables:
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid"):
                yield {"table": table, "row": {name: plain(row[name]) for name in row.keys()}}  # noqa: SIM118


def plain(value: object) -> object:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def main(file: Path) -> None:
    with time_machine.travel(NOON, tick=True), tempfile.TemporaryDirectory() as folder:
        lines = list(leave(Path(folder)))
    file.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main(Path(sys.argv[1]))
