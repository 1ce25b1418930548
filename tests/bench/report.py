"""What the rounds say: medians, ratios, and a table with the ratios on top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

Round = Mapping[str, Any]


def summarise(rounds: Sequence[Round]) -> dict[str, Any]:
    """All rounds of one delay → `{"rounds", "ratios", "engine", "script", "different", "different_base"}`.

    A ratio is the median of the ratios of each round, engine ÷ script, because the two stood side by side there.
    """
    return {
        "rounds": len(rounds),
        "ratios": {
            "time, first run (engine / script)": ratio(rounds, "first", "seconds"),
            "time, nothing to do (engine / script)": ratio(rounds, "second", "seconds"),
            "vendor calls, first run (engine / script)": ratio(rounds, "first", "calls"),
            "vendor calls, nothing to do (engine / script)": ratio(rounds, "second", "calls"),
            "engine's second run / its first (time)": _middle(
                r["engine"]["second"]["seconds"] / r["engine"]["first"]["seconds"] for r in rounds
            ),
        },
        "engine": {run: figures([r["engine"][run] for r in rounds]) for run in ("first", "second")},
        "script": {run: figures([r["script"][run] for r in rounds]) for run in ("first", "second")},
        "different": sum(len(r["different"]) for r in rounds),
        "different_base": max(len(r["different_base"]) for r in rounds),
    }


def ratio(rounds: Sequence[Round], run: str, what: str) -> float:
    return _middle(r["engine"][run][what] / r["script"][run][what] for r in rounds)


def figures(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    people = median(run["people"] for run in runs)
    return {
        "people": people,
        "written": median(run["written"] for run in runs),
        "seconds": _middle(run["seconds"] for run in runs),
        "employees_per_second": _middle(run["people"] / run["seconds"] for run in runs),
        "written_per_second": _middle(run["written"] / run["seconds"] for run in runs),
        "calls_per_employee": _middle(run["calls"] / run["people"] for run in runs),
        "writes": median(run["writes"] for run in runs),
    }


def memory(rounds: Sequence[Round]) -> dict[str, dict[str, float]]:
    """Process → how many and the highest peak of all rounds in MiB; the script with them."""
    roles = list(dict.fromkeys(role for r in rounds for role in r["engine"]["peaks"]))
    found = {
        role: {
            "processes": max(r["engine"]["peaks"][role]["processes"] for r in rounds if role in r["engine"]["peaks"]),
            "mib": max(r["engine"]["peaks"][role]["mib"] for r in rounds if role in r["engine"]["peaks"]),
        }
        for role in roles
    }
    script = [r["script"]["peak_mib"] for r in rounds if r["script"]["peak_mib"] is not None]
    return {**found, **({"straight script": {"processes": 1, "mib": max(script)}} if script else {})}


def table(results: Mapping[str, Any]) -> str:
    return "\n".join(_lines(results))


def _lines(results: Mapping[str, Any]) -> Iterator[str]:
    delays: Mapping[str, Any] = results["delays"]
    one = next(iter(delays.values()))
    yield f"{'RATIOS (medians)':<48}" + "".join(f"{delay:>10}" for delay in delays)
    for name in one["ratios"]:
        yield f"{name:<48}" + "".join(f"{each['ratios'][name]:>10.2f}" for each in delays.values())
    for run, title in (("first", "FIRST RUN"), ("second", "NOTHING TO DO")):
        yield ""
        yield f"{title:<48}" + "".join(f"{delay:>10}" for delay in delays)
        for who in ("engine", "script"):
            for what in one[who][run]:
                values = (each[who][run][what] for each in delays.values())
                yield f"{who + '  ' + what.replace('_', ' '):<48}" + "".join(f"{value:>10.2f}" for value in values)
    yield ""
    yield f"{'PEAK MEMORY, largest process of its kind':<48}{'MiB':>10}"
    for name, peak in results["peak_memory"].items():
        title = f"{name} ({peak['processes']:.0f})"
        yield f"{title:<48}{peak['mib']:>10.0f}"
    yield ""
    left = sum(each["different"] for each in delays.values())
    yield "engine and script left the same content" if not left else f"CONTENT DIFFERS for {left} records"
    base = max(each["different_base"] for each in delays.values())
    yield f"({base} of the base people, whose data holds mistakes, were left differently)"


def _middle(values: Iterator[float]) -> float:
    return round(median(values), 3)
