"""`make mutate`: changes the code in small ways, one at a time, and says which changes no test notices.

A line that can be changed without a red test is a line no test stands behind. mutmut makes the changes (`==` to `!=`,
an argument left out, a number one higher ...) inside functions of a copy of the project in a temporary folder: the
checkout is never touched, whenever this ends. What no test notices is a survivor. Those that were looked at stand in
`known_survivors.txt` with the reason why no test can or need notice them; any other makes the command end with 1.

`make mutate ARGS=planning` takes one group of `groups.py`, `ARGS=three_way.py` one file. Everything takes hours.
Functions with a decorator (properties) and tables outside functions stay as they are: mutmut does not change those.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation import order, survivors
from tests.mutation.groups import GROUPS, ROOT, chosen
from tests.mutation.survivors import Comparison, Survivor, Verdict

KNOWN = Path(__file__).with_name("known_survivors.txt")
COPIED = ("app", "workers", "tests", "docs", "wsgi.py", "README.md")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.png")
PYTEST_ARGS = [
    *("--reach=test", "-m", "not live and not processes and not postgresql"),
    *("--timeout=30", "-p", "no:cacheprovider", "-p", "tests.mutation.order"),
]
"""A test that takes that long has met a mutant which goes round for ever."""
PATIENCE, MORE_SECONDS = 4.0, 10.0
"""A mutant is given the seconds its tests took and some more, so many times, before it counts as caught in a loop."""
NOTHING_REACHED = "we could not find any test case for any mutant"
"""mutmut's words when the tests call none of the functions, and when there are none."""
ALL_WELL, SURVIVORS, NOT_FINISHED = range(3)


class NotFinished(Exception):
    """mutmut ended before every mutant was tried; the tests fail without any change, for example."""


def main() -> int:
    asked = _arguments()
    try:
        groups = chosen(asked.wanted)
        known = survivors.parse_known(KNOWN.read_text(encoding="utf-8"))
    except ValueError as wrong:
        print(wrong, file=sys.stderr)
        return NOT_FINISHED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(NOT_FINISHED))
    began, new, total = time.monotonic(), 0, Counter[Verdict]()
    for name, sources in groups.items():
        try:
            compared, tally = _try_group(name, sources, known, asked)
        except NotFinished as why:
            print(f"{name}: not finished: {why}", file=sys.stderr)
            return NOT_FINISHED
        new += len(compared.new) + tally[Verdict.UNCLEAR]
        total += tally
    if len(groups) > 1:
        print(f"together: {survivors.summary(total, seconds=time.monotonic() - began)}")
    return SURVIVORS if new else ALL_WELL


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wanted", nargs="*", metavar="group or file", help=f"groups: {', '.join(GROUPS)}")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="processes at the same time")
    parser.add_argument("--keep", type=Path, help="a new folder for the copy, which stays: `mutmut show` works in it")
    return parser.parse_args()


def _try_group(
    name: str, sources: Sequence[str], known: dict[Survivor, str], asked: argparse.Namespace
) -> tuple[Comparison, Counter[Verdict]]:
    print(f"{name}: {len(sources)} files ...", flush=True)
    began = time.monotonic()
    with _copy(asked.keep and asked.keep / name) as folder:
        _configure(folder, sources, GROUPS[name].tests)
        reached = _run_mutmut(folder, GROUPS[name].tests, asked.children)
        tally, found, unclear = _read_results(folder, sources, reached=reached)
    compared = survivors.compare(found, known, tried=sources)
    for survivor in compared.new:
        print(f"\nnew survivor  {survivor}")
    for survivor in compared.gone:
        print(f"\nno survivor any more, take it off the list  {survivor}")
    for mutant in unclear:
        print(f"\nneither killed nor survived (the machine was short of something?)  {mutant}")
    print(f"{name}: {survivors.summary(tally, seconds=time.monotonic() - began)}", end="")
    print(f"; survivors: {len(compared.new)} new, {len(compared.known)} known", flush=True)
    return compared, tally


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="awase-mutate-", ignore_cleanup_errors=True)


@contextlib.contextmanager
def _copy(keep: Path | None) -> Iterator[Path]:
    """What the tests need of the project, in a folder which is gone afterwards unless it is wanted."""
    with contextlib.nullcontext(keep) if keep else _temporary_folder() as place:
        folder = Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=LEFT_OUT)
            else:
                shutil.copy2(ROOT / name, folder / name)
        yield folder


def _configure(folder: Path, sources: Sequence[str], tests: Sequence[str]) -> None:
    settings = {
        "source_paths": ["app"],
        "only_mutate": list(sources),
        "also_copy": [name for name in COPIED if name not in ("app", "tests")],
        "pytest_add_cli_args": PYTEST_ARGS,
        "pytest_add_cli_args_test_selection": list(tests),
        "timeout_multiplier": PATIENCE,
        "timeout_constant": MORE_SECONDS,
        "use_git_change_detection": False,
        "use_setproctitle": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]  # for these types JSON is TOML
    ours = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text("\n".join([ours, "[tool.mutmut]", *lines, ""]), encoding="utf-8")


def _run_mutmut(folder: Path, tests: Sequence[str], children: int) -> bool:
    """False: no test reaches any mutant, or there is none, and mutmut tried nothing. Raises NotFinished with the end of
    what mutmut said. Ends every process of it, however this function ends."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(children)]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "same", order.VARIABLE: " ".join(tests)}
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as mutmut:
        try:
            said = _follow(mutmut)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(mutmut.pid, signal.SIGKILL)
    if NOTHING_REACHED in said:
        return False
    if mutmut.returncode:
        raise NotFinished(f"mutmut ended with {mutmut.returncode}\n{said}")
    return True


def _follow(mutmut: subprocess.Popen[bytes]) -> str:
    """Tells how many mutants are done, on one line of a terminal or now and then in a log. Returns the end of the
    output."""
    assert mutmut.stdout is not None
    told, every, end = 0.0, 0.3 if sys.stderr.isatty() else 20.0, b""
    while piece := os.read(mutmut.stdout.fileno(), 65536):
        end = (end + re.sub(rb"\r[^\n]*(?=\r)", b"", piece))[-8000:]  # without the turns of its spinner
        counts = re.findall(rb"(\d+)/(\d+)  ", piece)
        if counts and time.monotonic() - told > every:
            told = time.monotonic()
            done, total = (number.decode() for number in counts[-1])
            print(f"  {done} of {total} mutants", file=sys.stderr, flush=True, end="\r" if every < 1 else "\n")
    mutmut.wait()
    return end.decode(errors="replace")


def _read_results(
    folder: Path, sources: Sequence[str], *, reached: bool
) -> tuple[Counter[Verdict], set[Survivor], list[str]]:
    """(how many ended how, the survivors that matter, the mutants without a clear end)."""
    tally, found, unclear = Counter[Verdict](), set[Survivor](), list[str]()
    with contextlib.chdir(folder):
        for source, mutant, verdict in _verdicts(sources):
            verdict = verdict if reached else Verdict.UNREACHED
            if verdict in (Verdict.SURVIVED, Verdict.UNREACHED):
                survivor = _survivor(source, mutant, verdict)
                if survivors.immaterial(survivor):
                    verdict = Verdict.IMMATERIAL
                else:
                    found.add(survivor)
            elif verdict is Verdict.UNCLEAR:
                unclear.append(mutant)
            tally[verdict] += 1
    return tally, found, unclear


def _verdicts(sources: Sequence[str]) -> Iterator[tuple[str, str, Verdict]]:
    for source in sources:
        meta = Path("mutants", f"{source}.meta")
        if meta.exists():  # a file without a function has none
            for mutant, verdict in survivors.verdicts(meta.read_text(encoding="utf-8")).items():
                yield source, mutant, verdict


def _survivor(source: str, mutant: str, verdict: Verdict) -> Survivor:
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # slow to import, and only here

    function = survivors.function_of(mutant)
    if verdict is Verdict.UNREACHED:
        return Survivor(source, function)
    return Survivor(source, function, *survivors.changed_lines(get_diff_for_mutant(mutant, path=source)))


if __name__ == "__main__":
    sys.exit(main())
