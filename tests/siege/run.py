"""`make siege`: everything rude at once against a real house on this machine, and what honest callers notice of it.

`python -m tests.siege.run [--database sqlite|postgresql] [--seconds 40]`. Half-open heads and bodies, trickles and deaf
clients, sign-ins with wrong passwords, comparisons while the vendors are slow, previews over the API; meanwhile the
health check, webhooks and a signed-in person's pages are asked. Prints what was measured, keeps it in var/siege.json,
and exits 1 when a figure is missed. Only this machine is besieged, and everything has its bounds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlencode

from app.practice.house.connecting import first_administrator, flask
from app.practice.house.processes import ROOT
from app.practice.staff import practice_company
from tests.chaos.house import FREEE_SECRET, House, open_house, stop_everything
from tests.forms import token_in
from tests.siege.floods import FORM, ask
from tests.siege.watch import Watch, freee_webhook, live, pages, smarthr_webhook
from tests.storage.servers import missing_parts
from tests.storm.deliveries import smarthr_secret

LIVE_P99_MS = 500.0
WEBHOOK_MS = 2000.0
PAGE_MS = 2000.0
USUAL = {"SMARTHR_LIMITS": "200/s", "FREEE_LIMITS": "200/s", "LOG_LEVEL": "INFO"}


@dataclass(frozen=True)
class Options:
    database: str = "sqlite"
    seconds: float = 40.0
    heads: int = 400
    bodies: int = 400
    trickles: int = 40
    deaf: int = 40
    sign_ins: int = 48
    """Addresses that try passwords, each one login after another."""
    comparisons: int = 64
    previews: int = 150
    callers: int = 15
    """Programs among which the previews are divided."""
    vendor_delay: float = 8.0
    """Seconds after which the practice vendors answer anything."""
    checkout: Path = ROOT
    """Which version is besieged."""


def play(folder: Path, options: Options) -> dict[str, Any]:
    """What was measured, as it goes into var/siege.json."""
    with open_house(folder, options.database, USUAL, checkout=options.checkout) as house:
        flask(house.env, "connection", "register-webhook", "--", house.connection)
        secret = smarthr_secret(house)
        crew = str(house.smarthr.state()["crews"][0]["id"])
        employee = int(house.freee.state()["employees"][0]["id"])
        port = int(house.api.url.rpartition(":")[2])
        cookie = signed_in(port, house)
        before = deliveries_in(house)
        slow = {"delay": options.vendor_delay}
        for vendor in (house.smarthr, house.freee):
            vendor.fault(slow)
        watches = {
            "live": Watch(live(port), 0.1, 200),
            "smarthr": Watch(smarthr_webhook(port, house.connection, secret, crew), 0.25, 202),
            "freee": Watch(freee_webhook(port, FREEE_SECRET, employee), 0.25, 202),
            "page": Watch(pages(port, cookie), 0.5, 200),
        }
        told = _besiege(port, house, options, watches, cookie=cookie, pair=f"smarthr={crew}&freee={employee}")
        told["stored"] = deliveries_in(house) - before
        house.smarthr.no_faults()
        house.freee.no_faults()
        return told


def _besiege(
    port: int, house: House, options: Options, watches: Mapping[str, Watch], *, cookie: str, pair: str
) -> dict[str, Any]:
    preview = {
        "connection": house.connection,
        "direction": "smarthr_to_freee",
        "as_of_date": practice_company.japan_today().isoformat(),
        "employees": "all",
        "dry_run": True,
    }
    busy = {
        "port": port,
        "seconds": options.seconds,
        "cookie": cookie,
        "key": house.api.key,
        **{name: getattr(options, name) for name in ("sign_ins", "comparisons", "previews", "callers")},
        "compare": f"/links/{house.connection}/compare?{pair}",
        "preview": json.dumps(preview),
    }
    rude = ["--port", str(port), "--seconds", str(options.seconds)]
    for kind in ("heads", "bodies", "trickles", "deaf"):
        rude += [f"--{kind}", str(getattr(options, kind))]
    with _process("tests.siege.rude", *rude) as crowd, _process("tests.siege.floods") as floods:
        assert floods.stdin is not None
        floods.stdin.write(json.dumps(busy).encode())
        floods.stdin.close()
        floods.stdin = None
        _watch(watches, time.monotonic() + options.seconds)
        said = {"rude": json.loads(crowd.communicate(timeout=120)[0])}
        said |= json.loads(floods.communicate(timeout=120)[0])
    figures = {name: watch.figures() for name, watch in watches.items()}
    return {"database": options.database, "load": os.getloadavg()[0], "met": figures, "besiegers": said}


def _watch(watches: Mapping[str, Watch], end: float) -> None:
    threads = [threading.Thread(target=watch.run, args=(end,)) for watch in watches.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    patience = time.monotonic() + 45
    while any(watch.open for watch in watches.values()) and time.monotonic() < patience:
        time.sleep(0.1)


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A besieger. It is less urgent than the house: in truth it would have a machine of its own."""
    command = ["nice", "-n", "10", sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def signed_in(port: int, house: House) -> str:
    """The session cookie of the first administrator."""
    made = first_administrator(house.env)
    _, cookie, page = ask(port, "GET", "/sign-in", headers={})
    form = urlencode({"csrf_token": token_in(page), "login": made.login, "password": made.password})
    headers = {**FORM, "Cookie": cookie}
    status, cookie, _ = ask(port, "POST", "/sign-in", headers=headers, body=form)
    assert status == 303, status
    return cookie


def deliveries_in(house: House) -> int:
    return house.count("SELECT COUNT(*) FROM deliveries")


# ── what is wanted ────────────────────────────────────────────────────────────────────────────────────────────────


def missed(told: Mapping[str, Any]) -> list[str]:
    """What was wanted and not met, in words."""
    met = told["met"]
    faults = [f"{name}: {len(met[name]['wrong'])} wrong answers" for name in met if met[name]["wrong"]]
    if met["live"]["p99_ms"] >= LIVE_P99_MS:
        faults.append(f"live: p99 {met['live']['p99_ms']} ms, under {LIVE_P99_MS:.0f} wanted")
    for name, most in (("smarthr", WEBHOOK_MS), ("freee", WEBHOOK_MS), ("page", PAGE_MS)):
        if met[name]["max_ms"] >= most:
            faults.append(f"{name}: up to {met[name]['max_ms']} ms, under {most:.0f} wanted")
    sent = met["smarthr"]["asked"] + met["freee"]["asked"]
    if told["stored"] != sent:
        faults.append(f"webhooks: {sent} sent, {told['stored']} stored")
    return faults


def table(told: Mapping[str, Any]) -> str:
    lines = [f"{'SIEGE (' + told['database'] + ')':<24}{'asked':>8}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}  wrong"]
    for name, one in told["met"].items():
        figures = f"{one['asked']:>8}{one['p50_ms']:>10}{one['p99_ms']:>10}{one['max_ms']:>10}  {len(one['wrong'])}"
        lines.append(f"{name:<24}{figures}")
    lines.append(f"webhooks stored {told['stored']}")
    lines += [f"{name:<24}{json.dumps(said)}" for name, said in told["besiegers"].items()]
    lines.append(f"load at the end {told['load']:.1f}, {os.cpu_count()} CPUs")
    lines += [f"× {fault}" for fault in missed(told)]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.database == "postgresql" and (reason := missing_parts()):
        print(reason, file=sys.stderr)
        return 2
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _stop)
    folder = Path(tempfile.mkdtemp(prefix="awase-siege-", dir="/var/tmp"))
    told = play(folder, Options(database=given.database, seconds=given.seconds, checkout=given.checkout))
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(table(told))
    if missed(told):
        print(f"logs: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    """Every process of the house ends; threads would go on otherwise."""
    stop_everything()
    os._exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.siege.run", description="A siege of a house on this machine."
    )
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=Options.seconds)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="which version of the service")
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "siege.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
