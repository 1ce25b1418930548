"""`python -m app.practice.launch run|demo`: the whole of Awase with the practice company, started from nothing.

The launcher speaks to the service only as any other user would: environment, command line, HTTP.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import requests

from app.practice.guide.pages import Places, create_guide
from app.practice.guide.witness import Witness
from app.practice.house import demo
from app.practice.house.banner import banner
from app.practice.house.connecting import (
    check_broker,
    connect,
    connect_all,
    first_administrator,
    flask,
    hear_of_changes,
    write_command,
)
from app.practice.house.demo import Api
from app.practice.house.environment import Ports, PortTaken, StartError, environment
from app.practice.house.first_run import leave_something_to_see
from app.practice.house.process_lock import end_leftovers, only_launcher
from app.practice.house.processes import ROOT, Processes, local_session, procfile
from app.practice.server import RunningServer, start_in_thread
from app.practice.staff import practice_company
from app.practice.staff.tenants import MOST, tenants
from app.practice.vendor_kit.private_files import keep_private

__all__ = ["Company", "House", "Ports", "open_house", "practice_company"]

USUAL_PORT = 8000
MOVED = f"ポート {USUAL_PORT} は使用中のため、{{}} で動いています。"
INTERRUPTED = 130
FREEE_WEBHOOK = "--webhook-url %(ENV_BASE_URL)s/webhooks/freee --webhook-token %(ENV_FREEE_WEBHOOK_TOKEN)s"


@dataclass(frozen=True)
class Company:
    """The practice company to start with. `switches`: vendor → `NAME=JSON`, what the vendors do not document."""

    extra: int = 0
    equal_share: float = 0.95
    switches: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tenants: int = 1
    """How many such companies there are."""


@dataclass(frozen=True)
class House:
    """A running practice house and how to talk to it."""

    folder: Path
    ports: Ports
    processes: Processes
    env: Mapping[str, str]
    connection: str
    api_key: str
    connections: tuple[str, ...] = ()
    """One a company; `connection` is the first."""
    notices: tuple[str, ...] = ()
    """What the person at the terminal should know about this start."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.web}"


def open_house(
    folder: Path,
    ports: Ports,
    *,
    extra: int = 0,
    equal_share: float = 0.95,
    switches: Mapping[str, Sequence[str]] | None = None,
    own_broker: bool = False,
    webhooks: bool = False,
    guided: bool = False,
    companies: int = 1,
) -> House:
    """Start everything and connect the practice company. Raises StartError; then nothing is left running.

    `extra`: how many generated people there are beside the base ones; of these `equal_share` are equal on both sides.
    `own_broker`: the REDIS_URL of the person's environment is used, if there is one. `webhooks`: both vendors tell of
    changes. `guided`: Awase's pages lead to the guide (`open_guide`). `companies`: so many, each with a connection.
    """
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # keys, tokens and mails
    env = environment(folder, ports, around=os.environ, own_broker=own_broker, guided=guided)
    socket = check_broker(env)
    flask(env, "db", "upgrade")
    company = Company(extra, equal_share, switches or {}, companies)
    stands_on = ground(ports, company, broker=socket is not None, webhooks=webhooks)
    processes = Processes(folder, stands_on, service(), env)
    if socket is not None and socket.parent != folder:
        processes.emptied.append(socket.parent)
    processes.start()
    try:
        notices = [await_vendor(processes, name, port) for name, port in vendor_ports(ports).items()]
        processes.await_url(f"http://127.0.0.1:{ports.web}/health/ready")
        connection, api_key = connect(folder, env, f"http://127.0.0.1:{ports.web}")
        write_command(folder, env)
        connections = (connection, *connect_all(env, tenants(companies)[1:]))
        if webhooks:
            notices += [hear_of_changes(env, each) for each in connections]
    except BaseException:
        with undisturbed():
            processes.stop()
        raise
    return House(folder, ports, processes, env, connection, api_key, connections, tuple(filter(None, notices)))


def vendor_ports(ports: Ports) -> dict[str, int]:
    return {"smarthr": ports.smarthr, "freee": ports.freee}


def await_vendor(processes: Processes, name: str, port: int) -> str:
    """Wait for a vendor; returns its notice about a memory file it cannot use, or "". Raises StartError, PortTaken."""
    url = f"http://127.0.0.1:{port}/_practice/kept"
    processes.await_url(url)
    with local_session() as session:
        told = session.get(url, timeout=10).json()
    if told["file"] != str(memory_file(processes.folder, name)):
        raise PortTaken(f"ポート {port} では別の練習用の会社が動いています")
    return str(told["notice"])


def memory_file(folder: Path, vendor: str) -> Path:
    return folder / f"practice-{vendor}.json"


def ground(ports: Ports, company: Company, *, broker: bool, webhooks: bool = False) -> dict[str, str]:
    """What the service stands on: the practice company and, if wanted, the embedded broker. Name → command."""
    vendor = f"--rates fast --extra {company.extra} --equal-share {company.equal_share}"
    vendor += f" --companies {company.tenants}" if company.tenants > 1 else ""
    started = {"broker": "python -m workers.broker"} if broker else {}
    for name, port in vendor_ports(ports).items():
        switches = " ".join(_escaped(f"--switch '{each}'") for each in company.switches.get(name, ()))
        kept = f'--log "{in_folder(f"{name}.jsonl")}" --state "{in_folder(memory_file(Path(), name).name)}"'
        told = FREEE_WEBHOOK if webhooks and name == "freee" else ""
        started[f"practice_{name}"] = " ".join(
            (f"python -m app.practice.server {name} --port {port} {vendor} {kept}", told, switches)
        )
    mailbox = f'mailbox --port {ports.mail} --folder "{in_folder("mail")}"'
    mailbox += f" --control {ports.inbox}" if ports.inbox else ""
    return {**started, "practice_mailbox": f"python -m app.practice.server {mailbox}"}


def service() -> dict[str, str]:
    """The service's own processes, from the Procfile. Name → command."""
    return {name: _escaped(command) for name, command in procfile(ROOT / "Procfile").items()}


def in_folder(name: str) -> str:
    """A file of the data folder, as a command of `Processes` names it."""
    return f"%(ENV_DATA_DIR)s/{name}"


def _escaped(command: str) -> str:
    return command.replace("%", "%%")


def run(arguments: argparse.Namespace) -> int:
    """`make run`: keep the house running until Ctrl-C. Returns 1 when the processes ended by themselves."""
    folder = arguments.folder.absolute()
    asked = arguments.port
    with only_launcher(folder):
        left = end_leftovers(folder)
        if left:
            print(f"前回の終了で残っていた {left} 個のプロセスを止めました。", file=sys.stderr)
        print("準備しています(30 秒ほどかかります)……", flush=True)
        house = _opened(arguments, folder)
        guide: RunningServer | None = None
        notes = [] if asked or house.ports.web == USUAL_PORT else [MOVED.format(house.ports.web)]
        try:
            missed = leave_something_to_see(house.url, house.connection, house.api_key, mailbox=house.folder / "mail")
            administrator = first_administrator(house.env)
            guide, blind = open_guide(house, administrator.login)
            notes += [missed, blind]
            print(banner(house, *filter(None, notes), administrator=administrator, is_guided=not blind), flush=True)
            code = house.processes.wait()
            print(f"supervisord が終了しました(終了コード {code})。ログ: {house.processes.logs}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\n終了しています……", flush=True)
            return 0
        finally:
            with undisturbed():
                house.processes.stop()
                if guide is not None:
                    guide.stop()


def open_guide(house: House, login: str) -> tuple[RunningServer | None, str]:
    """Serve the guided tasks until `stop()`; without them there is a notice, and the house goes on all the same."""
    smarthr, freee = (f"http://127.0.0.1:{port}" for port in vendor_ports(house.ports).values())
    witness = Witness(Api(house.url, house.api_key), house.connection, house.folder / "guide.json")
    try:
        witness.begin()
        app = create_guide(Places(house.url, smarthr, freee, house.connection, login), witness)
        return start_in_thread(app, port=house.ports.guide), ""
    except (demo.DemoError, requests.RequestException, OSError, SystemExit) as error:
        return None, f"はじめの15分のガイドを用意できませんでした({error})"


def _opened(arguments: argparse.Namespace, folder: Path) -> House:
    """Open the house on the usual ports; on any others when another program took those in the same moment."""
    options: dict[str, Any] = {"extra": _extra(arguments), "switches": _switches(arguments)}
    options |= {"own_broker": True, "webhooks": True, "guided": True, "companies": arguments.companies}
    ports = Ports.wanted(arguments.port or USUAL_PORT, strict=bool(arguments.port))
    try:
        return open_house(folder, ports, **options)
    except PortTaken:
        if arguments.port:
            raise
        return open_house(folder, Ports.wanted(0), **options)


def run_demo(arguments: argparse.Namespace) -> int:
    """`make demo`: free ports, a folder of its own, one sync in each direction, everything stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="awase-demo-"))
    result = 1
    try:
        house = open_house(folder, Ports.wanted(0), extra=_extra(arguments), switches=_switches(arguments))
        try:
            result = demo.show(house.url, house.connection, house.api_key, mailbox=folder / "mail", vendors=house.ports)
        finally:
            with undisturbed():
                house.processes.stop()
    except (demo.DemoError, requests.RequestException) as error:
        print(f"途中で続けられなくなりました: {error}", file=sys.stderr)
    finally:
        if result == 0:
            shutil.rmtree(folder)
        else:
            print(f"ログ: {folder / 'log'}", file=sys.stderr)
    return result


def _extra(arguments: argparse.Namespace) -> int:
    return int(arguments.employees) - practice_company.BASE_SIZE


def _switches(arguments: argparse.Namespace) -> dict[str, list[str]]:
    return {"smarthr": arguments.smarthr_switch, "freee": arguments.freee_switch}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore signals while processes are stopped: a second Ctrl-C would leave some behind. For the main thread."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (*STOPPING, signal.SIGALRM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_SECONDS = 0.3


def _listen_to_signals() -> None:
    """Let each stopping signal raise KeyboardInterrupt, again and again until `undisturbed` begins.

    Python drops an exception that a signal raises inside a finaliser, and with it the person's only Ctrl-C would be
    lost.
    """
    for each in (*STOPPING, signal.SIGALRM):
        signal.signal(each, _interrupt)
    sys.unraisablehook = _drop_quietly


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise KeyboardInterrupt


def _drop_quietly(dropped: sys.UnraisableHookArgs) -> None:
    if dropped.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(dropped)


def main() -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # into a pipe or a log, too, each line is written at once
    keep_private()
    arguments = _parser().parse_args()
    _listen_to_signals()
    try:
        return run(arguments) if arguments.what == "run" else run_demo(arguments)
    except StartError as error:
        print(f"開始できませんでした: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with undisturbed():
            print("\n中断しました。", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.practice.launch")
    parser.add_argument("what", choices=["run", "demo"])
    parser.add_argument(
        "--employees", type=_employees, default=practice_company.BASE_SIZE, help="people, the base ones included"
    )
    parser.add_argument(
        "--port", type=_port, default=os.environ.get("PORT") or None, help=f"run: {USUAL_PORT} unless it is taken"
    )
    parser.add_argument("--companies", type=_companies, default=1, help="run: how many, each with its own connection")
    parser.add_argument("--folder", type=Path, default=ROOT / "var", help="run: where everything is kept")
    for vendor in ("smarthr", "freee"):
        parser.add_argument(f"--{vendor}-switch", action="append", default=[], type=_switch, metavar="NAME=JSON")
    return parser


def _employees(text: str) -> int:
    if not text.isdecimal() or int(text) < practice_company.BASE_SIZE:
        raise argparse.ArgumentTypeError(f"at least {practice_company.BASE_SIZE}: the practice company's own people")
    return int(text)


def _companies(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError("a number from 1 to 65535")
    return int(text)


def _switch(text: str) -> str:
    """`NAME=JSON`; a text without this form is refused here, while the vendor refuses unknown names."""
    name, equals, value = text.partition("=")
    try:
        json.loads(value)
    except ValueError:
        equals = ""
    if not equals or not name.isidentifier() or "'" in value:
        raise argparse.ArgumentTypeError('NAME=JSON, for example num_unique=true or forbidden=["crews:write"]')
    return text


if __name__ == "__main__":
    sys.exit(main())
