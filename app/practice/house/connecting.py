"""The practice connection and its API key, made through Awase's own command line as an administrator would."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.practice.house.environment import PortTaken, StartError, check_own_broker
from app.practice.house.processes import ROOT, local_session
from app.practice.staff import practice_company
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
        made = {"connection": _listed(env) or _add_connection(env), "api_key": _add_key(env)}
        if not _works(url, made):
            raise PortTaken(f"{url} では別のプログラムが動いています")
        write_private(file, json.dumps(made))
    return made["connection"], made["api_key"]


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


def _listed(env: Mapping[str, str]) -> str | None:
    """The key of a practice connection that an interrupted start left, None without one."""
    listed = json.loads(flask(env, "connection", "list", "--json"))["items"]
    return next((each["key"] for each in listed if each.get("smarthr_subdomain") == practice_company.SUBDOMAIN), None)


def _add_connection(env: Mapping[str, str]) -> str:
    tokens = {
        "AWASE_SMARTHR_TOKEN": practice_company.SMARTHR_TOKEN,
        "AWASE_FREEE_ACCESS_TOKEN": practice_company.FREEE_ACCESS_TOKEN,
        "AWASE_FREEE_REFRESH_TOKEN": practice_company.FREEE_REFRESH_TOKEN,
    }
    return flask(
        {**env, **tokens},
        *("connection", "add", "--with-freee-tokens", "--name", "練習用の会社"),
        *(
            "--smarthr-subdomain",
            practice_company.SUBDOMAIN,
            "--freee-company-id",
            str(practice_company.FREEE_COMPANY_ID),
        ),
        *("--freee-external-cid", practice_company.FREEE_EXTERNAL_CID, "--mail-to", "jinji@example.com"),
        *(word for option in EXPORT_SETTINGS.items() for word in option),
    ).strip()


def _add_key(env: Mapping[str, str]) -> str:
    scopes = (word for scope in SCOPES for word in ("--scope", scope))
    return flask(env, "key", "add", "--name", "practice", *scopes).strip()


def flask(env: Mapping[str, str], *arguments: str) -> str:
    """Run `flask …` and return what it printed. Raises StartError with its last line."""
    return command(env, "flask", *arguments)


def command(env: Mapping[str, str], module: str, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        umask=OTHERS,
    )
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise StartError(f"{' '.join((module, *arguments[:2]))}: {told}")
    return done.stdout
