"""`python -m app.practice.launch run|demo`: the whole of Awase with the practice company, started from nothing.

Speaks to the service only as any other user would: environment, command line, HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.practice import demo, staff
from app.practice.processes import ROOT, Processes, StartError, free_port, procfile

SCOPES = ("runs:read", "runs:write", "employees:read", "ops:read", "ops:write")
EXPORT_SETTINGS = {
    "--working-hours-system-name": "固定時間制",
    "--pay-schedule-name": "正社員",
    "--pay-type": "月給",
    "--base-pay": "230000",
}


@dataclass(frozen=True)
class Ports:
    web: int
    smarthr: int
    freee: int
    mail: int

    @classmethod
    def wanted(cls, web: int) -> Ports:
        """The usual ports where they are free."""
        return cls(free_port(web), free_port(8011 if web else 0), free_port(8012 if web else 0), free_port(0))


@dataclass(frozen=True)
class House:
    """A running practice house and how to talk to it."""

    folder: Path
    ports: Ports
    processes: Processes
    env: Mapping[str, str]
    connection: str
    api_key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.web}"


def open_house(
    folder: Path, ports: Ports, *, extra: int, equal_share: float = 0.95, logs_to_terminal: bool = False
) -> House:
    """Start everything and connect the practice company. Raises StartError.

    `extra` generated people beside the base ones, of whom `equal_share` are equal on both sides.
    """
    folder.mkdir(parents=True, exist_ok=True)
    env = environment(folder, ports)
    command_line(env, "db", "upgrade")
    processes = Processes(folder, programs(folder, ports, env, people=(extra, equal_share)), env, logs_to_terminal)
    processes.start()
    try:
        processes.await_url(f"http://127.0.0.1:{ports.smarthr}/_practice/switches")
        processes.await_url(f"http://127.0.0.1:{ports.freee}/_practice/switches")
        processes.await_url(f"http://127.0.0.1:{ports.web}/health/ready")
        connection, api_key = connect(folder, env)
    except BaseException:
        processes.stop()
        raise
    return House(folder, ports, processes, env, connection, api_key)


def environment(folder: Path, ports: Ports) -> dict[str, str]:
    """What the service reads, pointed at the practice company. Variables that are set already win."""
    practice = {
        **kept_secrets(folder / "secrets.env"),
        "DATA_DIR": str(folder),
        "BASE_URL": f"http://127.0.0.1:{ports.web}",
        "SMTP_URL": f"smtp://127.0.0.1:{ports.mail}",
        "MAIL_FROM": "awase@example.com",
        "SMARTHR_URL": f"http://127.0.0.1:{ports.smarthr}/{{subdomain}}/api",
        "FREEE_API_URL": f"http://127.0.0.1:{ports.freee}/hr",
        "FREEE_ACCOUNTS_URL": f"http://127.0.0.1:{ports.freee}",
        "FREEE_CLIENT_ID": staff.FREEE_CLIENT_ID,
        "FREEE_CLIENT_SECRET": staff.FREEE_CLIENT_SECRET,
        # The practice vendors run with raised limits (server --rates fast), so that nobody waits an hour to see a run.
        "SMARTHR_LIMITS": "200/s",
        "FREEE_LIMITS": "200/s",
        "PORT": str(ports.web),
        "FLASK_APP": "wsgi.py",
        "PYTHONUNBUFFERED": "1",
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    kept = {name: value for name, value in os.environ.items() if name not in ("DATA_DIR", "PORT")}
    return {**practice, **kept, "PATH": path}


def kept_secrets(file: Path) -> dict[str, str]:
    """SECRET_KEY and ENCRYPTION_KEYS of this data folder, made at the first start, readable by its owner only."""
    if not file.exists():
        lines = [f"{name}={secrets.token_urlsafe(48)}" for name in ("SECRET_KEY", "ENCRYPTION_KEYS")]
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
    pairs = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines())
    return {name: value for name, _, value in pairs}


def programs(folder: Path, ports: Ports, env: Mapping[str, str], *, people: tuple[int, float]) -> dict[str, str]:
    """Every process by name: the service's from the Procfile, the broker if none is named, the practice company's."""
    service = {name: command for name, command in procfile(ROOT / "Procfile").items() if name != "release"}
    if "REDIS_URL" not in env:
        service = {"broker": "python -m workers.broker", **service}
    server = "python -m app.practice.server"
    extra, equal_share = people
    vendor = f"--rates fast --extra {extra} --equal-share {equal_share}"
    return {
        "practice_smarthr": f"{server} smarthr --port {ports.smarthr} {vendor} --log {folder / 'smarthr.jsonl'}",
        "practice_freee": f"{server} freee --port {ports.freee} {vendor} --log {folder / 'freee.jsonl'}",
        "practice_mailbox": f"{server} mailbox --port {ports.mail} --folder {folder / 'mail'}",
        **service,
    }


def connect(folder: Path, env: Mapping[str, str]) -> tuple[str, str]:
    """The practice connection's key and an API key, made once per data folder."""
    file = folder / "practice.json"
    if not file.exists():
        tokens = {
            "AWASE_SMARTHR_TOKEN": staff.SMARTHR_TOKEN,
            "AWASE_FREEE_ACCESS_TOKEN": staff.FREEE_ACCESS_TOKEN,
            "AWASE_FREEE_REFRESH_TOKEN": staff.FREEE_REFRESH_TOKEN,
        }
        connection = command_line(
            {**env, **tokens},
            *("connection", "add", "--with-freee-tokens", "--name", "練習用の会社"),
            *("--smarthr-subdomain", staff.SUBDOMAIN, "--freee-company-id", str(staff.FREEE_COMPANY_ID)),
            *("--freee-external-cid", staff.FREEE_EXTERNAL_CID, "--mail-to", "jinji@example.com"),
            *(word for option in EXPORT_SETTINGS.items() for word in option),
        )
        scopes = (word for scope in SCOPES for word in ("--scope", scope))
        key = command_line(env, "key", "add", "--name", "practice", *scopes)
        made = {"connection": connection.strip(), "api_key": key.strip()}
        file.write_text(json.dumps(made), encoding="utf-8")
        file.chmod(0o600)
    made = json.loads(file.read_text(encoding="utf-8"))
    return made["connection"], made["api_key"]


def command_line(env: Mapping[str, str], *arguments: str) -> str:
    """Run `flask …` and return what it printed. Raises StartError with its message."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StartError(f"flask {' '.join(arguments[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def run(arguments: argparse.Namespace) -> int:
    """`make run`: until Ctrl-C."""
    house = open_house(
        (ROOT / "var").absolute(),
        Ports.wanted(arguments.port),
        extra=arguments.employees - staff.BASE_SIZE,
        logs_to_terminal=True,
    )
    print(
        f"""
  Awase            {house.url}
  API の説明        {house.url}/api/docs
  練習用の接続      {house.connection}
  練習用の API キー {house.api_key}
  練習用の会社      SmartHR http://127.0.0.1:{house.ports.smarthr}  freee人事労務 http://127.0.0.1:{house.ports.freee}
  届いたメール      {house.folder / "mail"}

  Ctrl-C で終了します。
""",
        flush=True,
    )
    try:
        return house.processes.wait()
    except KeyboardInterrupt:
        house.processes.stop()
        return 0


def run_demo(arguments: argparse.Namespace) -> int:
    """`make demo`: free ports, a folder of its own, one sync in each direction, everything stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="awase-demo-"))
    extra = arguments.employees - staff.BASE_SIZE
    house = open_house(folder, Ports.wanted(0), extra=extra)
    result = 1
    try:
        result = demo.show(house.url, house.connection, house.api_key, mailbox=folder / "mail", vendors=house.ports)
        return result
    finally:
        house.processes.stop()
        if result == 0:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"ログ: {house.processes.logs}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.practice.launch")
    parser.add_argument("what", choices=["run", "demo"])
    parser.add_argument("--employees", type=int, default=staff.BASE_SIZE)
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    if arguments.employees < staff.BASE_SIZE:
        parser.error(f"--employees must be at least {staff.BASE_SIZE}: the practice company's own people")
    try:
        return run(arguments) if arguments.what == "run" else run_demo(arguments)
    except StartError as error:
        print(f"開始できませんでした: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
