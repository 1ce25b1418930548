"""Reading mutmut's results and comparing them with the list of known survivors."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.mutation import order, survivors
from tests.mutation.survivors import UNREACHED, Survivor, Verdict

FILE = "app/domain/purse.py"
DIFF = """\
--- app/domain/purse.py
+++ app/domain/purse.py
@@ -1,4 +1,4 @@
 def worth(coins: int) -> int:
     # - a comment that looks like a change
-    return coins * 5
+    return coins / 5
"""
HALVED = Survivor(FILE, "worth", ("return coins * 5",), ("return coins / 5",))
DROPPED = Survivor(FILE, "Purse.add", ("coins,",), ())
UNCALLED = Survivor(FILE, "lose")


def test_every_end_of_a_mutant_is_understood() -> None:
    codes = {"killed": 1, "in_a_loop": -24, "survived": 0, "uncalled": 33, "untried": None, "out_of_memory": -9}
    assert survivors.verdicts(json.dumps({"exit_code_by_key": codes, "durations_by_key": {}})) == {
        "killed": Verdict.KILLED,
        "in_a_loop": Verdict.KILLED,
        "survived": Verdict.SURVIVED,
        "uncalled": Verdict.UNREACHED,
        "untried": Verdict.UNCLEAR,
        "out_of_memory": Verdict.UNCLEAR,
    }


@pytest.mark.parametrize(
    ("mutant", "function"),
    [
        ("app.domain.purse.x_worth__mutmut_12", "worth"),
        ("app.domain.purse.x__count__mutmut_1", "_count"),
        ("app.domain.purse.x_x_ray__mutmut_1", "x_ray"),
        ("app.domain.purse.xǁPurseǁadd__mutmut_3", "Purse.add"),
        ("app.domain.purse.xǁPurseǁ__post_init____mutmut_3", "Purse.__post_init__"),
    ],
)
def test_the_function_of_a_mutant(mutant: str, function: str) -> None:
    assert survivors.function_of(mutant) == function


def test_the_changed_lines_of_a_diff_without_their_indentation() -> None:
    assert survivors.changed_lines(DIFF) == (("return coins * 5",), ("return coins / 5",))


def test_a_line_that_only_moves_is_no_change() -> None:
    diff = "@@ -1,3 +1,2 @@\n worth(\n-    coins,\n-)\n+    )\n"
    assert survivors.changed_lines(diff) == (("coins,",), ())


@pytest.mark.parametrize("survivor", [HALVED, DROPPED, UNCALLED])
def test_a_survivor_is_printed_as_the_list_wants_it(survivor: Survivor) -> None:
    assert survivors.parse_known(f"{survivor}\nwhy: equivalent: coins are even\n") == {
        survivor: "equivalent: coins are even"
    }


def test_the_list_has_comments_and_several_entries() -> None:
    text = f"# what this is\n\n{HALVED}\nwhy: one\n\n# of the purse\n{UNCALLED}\nwhy: two\n\n"
    assert survivors.parse_known(text) == {HALVED: "one", UNCALLED: "two"}
    assert survivors.parse_known("# nothing yet\n\n") == {}


@pytest.mark.parametrize(
    "entry",
    [
        str(HALVED),  # without a reason
        f"worth\n{UNREACHED}\nwhy: no file",
        f"{FILE}::worth\nreturn coins * 5\nwhy: neither goes nor comes",
    ],
)
def test_what_is_no_entry_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="not an entry"):
        survivors.parse_known(entry)


def test_new_known_and_gone() -> None:
    elsewhere = Survivor("app/domain/bank.py", "lend", ("1",), ("2",))
    compared = survivors.compare({HALVED, DROPPED}, {DROPPED, UNCALLED, elsewhere}, tried=[FILE])
    assert (compared.new, compared.known, compared.gone) == ([HALVED], [DROPPED], [UNCALLED])


@pytest.mark.parametrize(
    ("removed", "added", "expected"),
    [
        ("for a, b in zip(x, y, strict=True):", "for a, b in zip(x, y, strict=False):", True),
        ("for a, b in zip(x, y, strict=True):", "for a, b in zip(x, y, ):", True),
        ("for a, b in zip(x, y, strict=True):", "for a, b in zip(x, None, strict=True):", False),
        ('raise ValueError("no coins")', 'raise ValueError("XXno coinsXX")', True),
        ('raise ValueError("no coins")', "raise ValueError(None)", True),
        ('raise Refused("no_coins")', 'raise Refused("XXno_coinsXX")', False),
        ("return coins", "return None", False),
    ],
)
def test_what_matters_to_developers_only(removed: str, added: str, expected: bool) -> None:
    assert survivors.immaterial(Survivor(FILE, "worth", (removed,), (added,))) is expected
    assert not survivors.immaterial(UNCALLED)


def test_the_summary_counts_every_mutant() -> None:
    tally = Counter({Verdict.SURVIVED: 2, Verdict.KILLED: 80})
    assert survivors.summary(tally, seconds=27.6) == "82 mutants: 80 killed, 2 survived; 28 s"


def test_the_tests_run_in_the_order_the_group_names_their_files() -> None:
    files = ["tests/b.py", "tests/a.py"]
    tests = ["tests/a.py::one", "tests/other.py::x", "tests/b.py::two[a]", "tests/a.py::zero"]
    assert sorted(tests, key=lambda test: order.rank(test, files)) == [
        "tests/b.py::two[a]",
        "tests/a.py::one",
        "tests/a.py::zero",
        "tests/other.py::x",
    ]
