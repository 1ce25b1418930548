"""The practice connection and its API key, made through Awase's own command line as an administrator would."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.practice.house import commands
from app.practice.house.environment import PortTaken, StartError, check_own_broker
from app.practice.house.processes import ROOT, local_session
from app.practice.staff.tenants import Tenant, tenants
from app.practice.vendor_kit.private_files import OTHERS, write_private

SCOPES = ("runs:read", "runs:write", "employees:read", "ops:read", "ops:write")
EXPORT_SETTINGS = {
    "--working-hours-system-name": "固定時間制",
    "--pay-schedule-name": "正社員",
    "--pay-type": "月給",
    "--base-pay": "230000",
}


@dataclass(frozen=True)
class Administrator:
    """The administrator who may sign in at the screens."""

    login: str
    password: str | None = field(repr=False)
    """Known only at the start that created this administrator; None at every later start."""


def first_administrator(env: Mapping[str, str]) -> Administrator:
    """The first administrator; Awase creates one when there is no user yet."""
    made = json.loads(flask(env, "user", "first", "--json"))
    return Administrator(made["login"], made["password"])


def check_broker(env: Mapping[str, str]) -> Path | None:
    """Where the embedded broker will listen; None when the person names a broker of their own (REDIS_URL).

    Raises StartError when there is no broker: the named one does not answer, or there is none to embed.
    """
    if "REDIS_URL" in env:
        check_own_broker(env["REDIS_URL"])
        return None
    return Path(command(env, "workers.broker", "--check").rstrip("\n"))


def connect(folder: Path, env: Mapping[str, str], url: str) -> tuple[str, str]:
    """The practice connection's key and an API key, made once per database.

    Raises PortTaken when the service at `url` does not know them: then another program listens there.
    """
    file = folder / "practice.json"
    made = _known(file)
    if made is None or not _works(url, made):
        made = {"connection": connect_all(env, tenants(1))[0], "api_key": add_key(env)}
        if not _works(url, made):
            raise PortTaken(f"{url} では別のプログラムが動いています")
        write_private(file, json.dumps(made))
    return made["connection"], made["api_key"]


def connect_all(env: Mapping[str, str], companies: Sequence[Tenant]) -> list[str]:
    """The key of each company's connection; of those that are not there yet a connection is made."""
    listed = json.loads(flask(env, "connection", "list", "--json"))["items"]
    known = {each.get("smarthr_subdomain"): str(each["key"]) for each in listed}
    new = [each for each in companies if each.subdomain not in known]
    made = flask_one_after_the_other(env, [(tokens_of(each), words_to_add(each)) for each in new]) if new else []
    known |= {each.subdomain: key.strip() for each, key in zip(new, made, strict=True)}
    return [known[each.subdomain] for each in companies]


def hear_of_changes(env: Mapping[str, str], connection: str) -> str:
    """Register the connection's webhook at the practice SmartHR, anew at every start: the port may be another one.

    Returns a notice for the person when SmartHR refuses the registration; the start goes on all the same.
    """
    try:
        flask(env, "connection", "register-webhook", connection)
    except StartError as error:
        return f"練習用の SmartHR に Webhook を登録できませんでした({error})"
    return ""


def write_command(folder: Path, env: Mapping[str, str]) -> None:
    """Write `flask` into the data folder: this house's command line, which ignores what its caller has exported."""
    file = folder / "flask"
    words = ["exec", "env", "-i", *(f"{name}={value}" for name, value in sorted(env.items()))]
    words += [sys.executable, "-m", "flask"]
    write_private(file, f'#!/bin/sh\ncd {shlex.quote(str(ROOT))} && {shlex.join(words)} "$@"\n')
    file.chmod(0o700)


def _known(file: Path) -> dict[str, str] | None:
    """The two keys that the file holds; None without the file, or when it is damaged."""
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return made if isinstance(made, dict) and {"connection", "api_key"} <= set(made) else None


def _works(url: str, made: Mapping[str, str]) -> bool:
    """Whether the database still knows both keys: a person may have deleted only the database."""
    with local_session() as session:
        headers = {"Authorization": f"Bearer {made['api_key']}"}
        answer = session.get(f"{url}/api/v1/connections", headers=headers, timeout=30)
    return answer.status_code == 200 and made["connection"] in answer.text


def tokens_of(company: Tenant) -> dict[str, str]:
    """The variables in which `flask connection add` takes the company's tokens."""
    return {
        "AWASE_SMARTHR_TOKEN": company.smarthr_token,
        "AWASE_FREEE_ACCESS_TOKEN": company.access_token,
        "AWASE_FREEE_REFRESH_TOKEN": company.refresh_token,
    }


def words_to_add(company: Tenant) -> list[str]:
    """What follows `flask` to make the company's connection."""
    return [
        *("connection", "add", "--with-freee-tokens", "--name", company.connection_name),
        *("--smarthr-subdomain", company.subdomain, "--freee-company-id", str(company.company_id)),
        *("--freee-external-cid", company.external_cid, "--mail-to", "jinji@example.com"),
        *(word for option in EXPORT_SETTINGS.items() for word in option),
    ]


def add_key(env: Mapping[str, str]) -> str:
    scopes = (word for scope in SCOPES for word in ("--scope", scope))
    return flask(env, "key", "add", "--name", "practice", *scopes).strip()


def flask(env: Mapping[str, str], *arguments: str) -> str:
    """Run `flask …` and return what it printed. Raises StartError with its last line."""
    return command(env, "flask", *arguments)


def flask_one_after_the_other(
    env: Mapping[str, str], wanted: Sequence[tuple[Mapping[str, str], Sequence[str]]], *, checkout: Path = ROOT
) -> list[str]:
    """Run several `flask …`, each with further variables, and return what each printed; the first that fails ends it.

    `checkout`: whose command line. Raises StartError.
    """
    program = str(Path(commands.__file__))
    return list(json.loads(_ran(env, [program], "flask", cwd=checkout, told=json.dumps(wanted))))


def command(env: Mapping[str, str], module: str, *arguments: str) -> str:
    return _ran(env, ["-m", module, *arguments], " ".join((module, *arguments[:2])))


def _ran(env: Mapping[str, str], words: Sequence[str], name: str, *, cwd: Path = ROOT, told: str = "") -> str:
    """What a program of ours printed. Raises StartError with its last line."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *words],
        cwd=cwd,
        env=dict(env),
        input=told,
        capture_output=True,
        text=True,
        check=False,
        umask=OTHERS,
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise StartError(f"{name}: {last}")
    return done.stdout
