"""The figures that are to be reached, a row each, with a column for every checkout that was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

Column = Mapping[str, Any]
"""What was measured of one checkout: `rounds` by delay, `waiting`, `quota`, `long`, `work`; each may be missing."""


def cpu_figures(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`{"written", "unchanged", "written_by_process"}`: own CPU in ms per employee, medians of the rounds.

    The second run changes nobody: it tells the price of somebody unchanged. From the first run these are taken off, and
    what is left is shared by those who were written.
    """
    by_process = [_per_employee(each["engine"]) for each in rounds]
    roles = list(dict.fromkeys(role for each in by_process for role in each["written"]))
    written = {role: round(median(each["written"].get(role, 0.0) for each in by_process), 2) for role in roles}
    return {
        "written": round(median(sum(each["written"].values()) for each in by_process), 2),
        "unchanged": round(median(each["unchanged"] for each in by_process), 2),
        "written_by_process": written,
    }


def _per_employee(engine: Mapping[str, Any]) -> dict[str, Any]:
    first, second = engine["first"], engine["second"]
    unchanged = {role: 1000 * used / max(second["unchanged"], 1) for role, used in second["cpu"].items()}
    written = {
        role: (1000 * used - unchanged.get(role, 0.0) * first["unchanged"]) / max(first["written"], 1)
        for role, used in first["cpu"].items()
    }
    return {"written": written, "unchanged": sum(unchanged.values())}


def _time(column: Column, delay: str) -> float:
    rounds = column["rounds"][delay]
    return median(each["engine"]["first"]["seconds"] / each["script"]["first"]["seconds"] for each in rounds)


def _cpu(column: Column) -> dict[str, Any]:
    return cpu_figures(next(iter(column["rounds"].values())))


ROWS: tuple[tuple[str, str, Callable[[Column], float]], ...] = (
    ("own CPU per written employee, ms", "<= 18", lambda column: _cpu(column)["written"]),
    ("own CPU per unchanged employee, ms", "<= 1.5", lambda column: _cpu(column)["unchanged"]),
    ("statements per written employee", "", lambda column: column["work"]["succeeded"]["statements"]),
    ("commits per written employee", "", lambda column: column["work"]["succeeded"]["commits"]),
    ("statements per unchanged employee", "", lambda column: column["work"]["unchanged"]["statements"]),
    ("time of a first run / straight script, 0 ms", "<= 2.0", lambda column: _time(column, "0 ms")),
    ("time of a first run / straight script, 50 ms", "<= 0.2", lambda column: _time(column, "50 ms")),
    ("memory of a queue's workers, 32 jobs waiting, MiB", "<= 350", lambda column: column["waiting"]["mib"]),
    ("20 connections at their quotas: quota used", ">= 0.95", lambda column: column["quota"]["used"]),
    ("20 connections at their quotas: CPU of both cores", "<= 0.60", lambda column: column["quota"]["cpu"]),
    ("2,000 people / what the quota alone allows", "<= 1.05", lambda column: column["long"]["ratio"]),
)


def goals(columns: Mapping[str, Column]) -> str:
    return "\n".join(_lines(columns))


def _lines(columns: Mapping[str, Column]) -> Iterator[str]:
    yield f"{'GOALS':<52}{'goal':>10}" + "".join(f"{name[-14:]:>16}" for name in columns)
    for title, goal, figure in ROWS:
        yield f"{title:<52}{goal:>10}" + "".join(f"{_shown(figure, each):>16}" for each in columns.values())
    for name, column in columns.items():
        if column.get("rounds"):
            parts = ", ".join(f"{role} {ms}" for role, ms in _cpu(column)["written_by_process"].items())
            yield f"{name}: ms of CPU per written employee by process: {parts}"
        yield from _doubts(name, column)


def _doubts(name: str, column: Column) -> Iterator[str]:
    """Figures that do not mean what they should."""
    if "waiting" in column and column["waiting"]["jobs"] < 32:
        yield f"{name}: only {column['waiting']['jobs']} jobs waited at once"
    if "quota" in column and not column["quota"]["enough"]:
        yield f"{name}: a run was over before the quota's window was"


def _shown(figure: Callable[[Column], float], column: Column) -> str:
    try:
        return f"{figure(column):.2f}"
    except (KeyError, StopIteration, TypeError):
        return "-"
