"""Survivors of `make mutate`: reads what mutmut leaves behind, and compares it with the list of known survivors.

A survivor is known by its file, its function and its changed lines, not by a line number: it stays known when code is
added above it, and has to be looked at again when its own line changes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

UNREACHED = "(no test reaches this function)"
"""Stands in place of the changed lines: the tests of the group never call the function."""


_STRICT = re.compile(r",\s*strict=\w+|,\s*(?=\))")
_RAISES_OUR_MISTAKE = re.compile(r"raise (ValueError|TypeError|RuntimeError|AssertionError)\(.*\)( from \w+)?")


class Verdict(Enum):
    KILLED = "killed"
    IMMATERIAL = "immaterial"
    """Survived, and no test needs to notice it: see `immaterial`."""
    SURVIVED = "survived"
    UNREACHED = "unreached"
    UNCLEAR = "unclear"


_VERDICTS: Mapping[int | None, Verdict] = {
    **dict.fromkeys((1, 3), Verdict.KILLED),  # a test failed, or pytest itself did
    **dict.fromkeys((36, 24, -24, 152, 255), Verdict.KILLED),  # ran out of time: somebody would notice
    0: Verdict.SURVIVED,
    **dict.fromkeys((5, 33), Verdict.UNREACHED),
}


@dataclass(frozen=True, order=True)
class Survivor:
    file: str
    function: str
    """With its class: `Repository.add`."""
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def __str__(self) -> str:
        changes = [*(f"- {line}" for line in self.removed), *(f"+ {line}" for line in self.added)]
        return "\n".join([f"{self.file}::{self.function}", *(changes or [UNREACHED])])


@dataclass(frozen=True)
class Comparison:
    new: list[Survivor]
    known: list[Survivor]
    gone: list[Survivor]
    """Known ones of the files just tried that no longer survive, or whose line is no more."""


def verdicts(meta: str) -> dict[str, Verdict]:
    """mutmut's name of each mutant → verdict. `meta`: the text of mutmut's `.meta` file beside a source file."""
    return {name: _VERDICTS.get(code, Verdict.UNCLEAR) for name, code in json.loads(meta)["exit_code_by_key"].items()}


def function_of(mutant: str) -> str:
    """`app.domain.runs.dates.x_pay_month__mutmut_3` → `pay_month`; a method with its class: `Money.add`."""
    mangled = mutant.rpartition(".")[2].rpartition("__mutmut_")[0]
    return ".".join(mangled.removeprefix("xǁ").split("ǁ")) if "ǁ" in mangled else mangled.removeprefix("x_")


def changed_lines(diff: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(lines that go, lines that come) of a unified diff, without their indentation and what differs in it alone."""
    body = [line for line in diff.splitlines() if not re.match(r"(---|\+\+\+) ", line)]
    removed = Counter(line[1:].strip() for line in body if line.startswith("-"))
    added = Counter(line[1:].strip() for line in body if line.startswith("+"))
    return tuple((removed - added).elements()), tuple((added - removed).elements())


def immaterial(survivor: Survivor) -> bool:
    """Two kinds of changes which are all over the code and matter to nobody but its developers: `strict=` of `zip`,
    which guards against lists of ours that do not belong together, and the words of Python's own exceptions."""
    removed, added = survivor.removed, survivor.added
    if not removed or len(removed) != len(added):
        return False
    if all(_RAISES_OUR_MISTAKE.fullmatch(line) for line in (*removed, *added)):
        return [line.partition("(")[0] for line in removed] == [line.partition("(")[0] for line in added]
    return [_STRICT.sub("", line) for line in removed] == [_STRICT.sub("", line) for line in added]


def parse_known(text: str) -> dict[Survivor, str]:
    """The list of known survivors → the reason of each.

    An entry is `file::function`, the changed lines (`- …`, `+ …`; or UNREACHED), and `why: …`; a blank line ends it,
    and `#` at the beginning of a line begins a comment. Raises ValueError for anything else.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    entries = [entry for entry in re.split(r"\n\s*\n", "\n".join(lines)) if entry.strip()]
    return dict(_entry(entry.strip("\n").splitlines()) for entry in entries)


def _entry(lines: list[str]) -> tuple[Survivor, str]:
    file, found, function = lines[0].partition("::")
    reason = lines[-1].removeprefix("why: ")
    changes = [] if lines[1:-1] == [UNREACHED] else lines[1:-1]
    if not found or reason == lines[-1] or any(line[:2] not in ("- ", "+ ") for line in changes):
        raise ValueError(f"not an entry of the list of known survivors: {lines}")
    removed = tuple(line[2:] for line in changes if line.startswith("- "))
    return Survivor(file, function, removed, tuple(line[2:] for line in changes if line.startswith("+ "))), reason


def compare(found: Iterable[Survivor], known: Iterable[Survivor], *, tried: Iterable[str]) -> Comparison:
    """`tried`: the files whose mutants ran, because nothing can be said about known survivors of others."""
    found, known, tried = set(found), set(known), set(tried)
    return Comparison(
        new=sorted(found - known),
        known=sorted(found & known),
        gone=sorted(one for one in known - found if one.file in tried),
    )


def summary(tally: Mapping[Verdict, int], *, seconds: float) -> str:
    counts = Counter(tally)
    shown = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return f"{counts.total()} mutants: {shown or 'none'}; {seconds:.0f} s"
