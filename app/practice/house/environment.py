"""What the processes of a practice house find around them: ports, secrets and an environment that leads nowhere else.

Only the variables named in `PASSED` come from the person's own environment. Every variable that says where data,
vendors, mails and keys are is the practice company's, even if the person has exported another value: a rehearsal must
not reach a real system.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import redis

from app.practice.staff import practice_company
from app.practice.vendor_kit.private_files import write_private

PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "NO_COLOR", "TMPDIR", "TZ", "LANG", "LANGUAGE"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
        *("LOG_LEVEL", "LEASE_SECONDS", "RECONCILE_SECONDS", "RELAY_SECONDS", "RETRY_BASE_SECONDS", "MAX_STARTS"),
        *("MAX_ATTEMPTS", "RUN_DEADLINE_HOURS", "BULK_FROM", "WORKERS_INTERACTIVE", "WORKERS_BULK", "WEB_THREADS"),
        *("LIMITER_PATIENCE", "SMARTHR_LIMITS", "FREEE_LIMITS", "QUIET_SECONDS", "SWEEP_MINUTES", "QUARANTINE_AFTER"),
        *("WORKER_THREADS", "CONNECTION_JOBS", "ITEM_SECONDS"),
    }
)
"""Variables that a machine needs or that tune the engine. None of them says where anything is kept or sent."""
PASSED_PREFIX = "LC_"
FREEE_WEBHOOK_TOKEN = "practice-freee-webhook-token"  # noqa: S105 - opens nothing but a practice house
PRACTICE_LIMITS = "200/s"
"""Awase's own limits, raised as the practice vendors' are (server --rates fast).

With the real limits a person would wait an hour to see a run.
"""


class StartError(Exception):
    """A part of the house did not start; the text says which part, and where its log is."""


class PortTaken(StartError):
    """Another program began to listen on a port after we found it free and before our process started there."""


SERVERS_PORTS = range(20_000, 32_000)
"""Where ports for servers are looked for. From 32,768 on (Linux) the system gives ports to outgoing calls: one from
there may be such a call's before its server has started."""


@dataclass(frozen=True)
class Ports:
    web: int
    smarthr: int
    freee: int
    mail: int
    guide: int = 0
    inbox: int = 0
    """Where the mails can be read; 0: nowhere."""

    @classmethod
    def wanted(cls, web: int, *, strict: bool = False) -> Ports:
        """The usual ports where they are free, other ports where they are not; 0 = any free port.

        Raises StartError with `strict` when the web port is taken or not allowed.
        """
        if strict and web and not is_free(web):
            raise StartError(
                f"ポート {web} は使えません(使用中か、許可されていません)。--port で別の番号を指定してください"
            )
        usual = (web, *(port if web else 0 for port in (8011, 8012, 0, 8013, 8014)))
        with ExitStack() as held:  # held all at once, so that no two ports are the same
            return cls(*(_held_port(port, held) for port in usual))


def is_free(port: int) -> bool:
    """Whether we may listen there. A port whose last connections are only fading out (TIME_WAIT) is free."""
    with socket.socket() as caller:
        caller.settimeout(1)
        if caller.connect_ex(("127.0.0.1", port)) == 0:
            return False  # some systems let two programs listen, one on this address and one on all
    with socket.socket() as probe:
        return _binds(probe, port)


def _held_port(wanted: int, held: ExitStack) -> int:
    for port in (*([wanted] if wanted else []), *random.sample(SERVERS_PORTS, 50), 0):
        probe = held.enter_context(socket.socket())
        if (port == 0 or is_free(port)) and _binds(probe, port):
            return int(probe.getsockname()[1])
    raise StartError("空いているポートがありません")


def _binds(probe: socket.socket, port: int) -> bool:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def environment(
    folder: Path, ports: Ports, *, around: Mapping[str, str], own_broker: bool = False, guided: bool = False
) -> dict[str, str]:
    """Everything the processes see. `around` is the person's environment; `own_broker` takes its REDIS_URL as well;
    `guided`: pages lead to the guide."""
    passed = {name: value for name, value in around.items() if name in PASSED or name.startswith(PASSED_PREFIX)}
    if own_broker and around.get("REDIS_URL"):
        passed["REDIS_URL"] = around["REDIS_URL"]
    practice = {
        **kept_secrets(folder / "secrets.env"),
        "SECRETS_FILE": str(folder / "secrets.env"),  # each process reads it anew, so keys can be changed meanwhile
        "DATA_DIR": str(folder),
        "BASE_URL": f"http://127.0.0.1:{ports.web}",
        "SMTP_URL": f"smtp://127.0.0.1:{ports.mail}",
        "MAIL_FROM": "awase@example.com",
        "SUPPORT_CONTACT": "support@example.com",
        **practice_vendors(f"http://127.0.0.1:{ports.smarthr}", f"http://127.0.0.1:{ports.freee}"),
        "FREEE_WEBHOOK_TOKEN": FREEE_WEBHOOK_TOKEN,
        "PRACTICE_PATH": "/_practice/",
        "PRACTICE_GUIDE": f"http://127.0.0.1:{ports.guide}/" if guided else "",
        "BIND": "127.0.0.1",
        "PORT": str(ports.web),
        "FLASK_APP": "wsgi.py",
        "FLASK_SKIP_DOTENV": "1",  # a .env in the checkout is the service's, not the rehearsal's
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), around.get("PATH", "")]),
    }
    return {"SMARTHR_LIMITS": PRACTICE_LIMITS, "FREEE_LIMITS": PRACTICE_LIMITS, **passed, **practice}


def practice_vendors(smarthr: str, freee: str) -> dict[str, str]:
    """The variables that lead the service to practice vendors with these addresses."""
    return {
        "SMARTHR_URL": f"{smarthr}/{{subdomain}}/api",
        "FREEE_API_URL": f"{freee}/hr",
        "FREEE_ACCOUNTS_URL": freee,
        "FREEE_CLIENT_ID": practice_company.FREEE_CLIENT_ID,
        "FREEE_CLIENT_SECRET": practice_company.FREEE_CLIENT_SECRET,
    }


def kept_secrets(file: Path) -> dict[str, str]:
    """SECRET_KEY and ENCRYPTION_KEYS of this data folder, made at the first start, readable by its owner only.

    Raises StartError when the file is damaged: new keys would not open what the old ones encrypted.
    """
    names = ("SECRET_KEY", "ENCRYPTION_KEYS")
    if not file.exists():
        write_private(file, "".join(f"{name}={secrets.token_urlsafe(48)}\n" for name in names))
    try:
        pairs = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines())
        found = {name: value for name, _, value in pairs if name in names}
    except UnicodeDecodeError:
        found = {}
    if not all(found.get(name) for name in names):
        raise StartError(f"{file} が壊れています。{file.parent} を消すと、はじめからやり直せます")
    return found


def check_own_broker(url: str) -> None:
    """Check that a broker answers at this REDIS_URL. Raises StartError; the URL's password stays out of its text."""
    try:
        redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3).ping()
    except ValueError:
        raise StartError("REDIS_URL が正しくありません(redis://ホスト:ポート/番号 の形で指定してください)") from None
    except (redis.RedisError, OSError) as error:
        told = type(error).__name__
        raise StartError(f"REDIS_URL の {without_password(url)} に接続できません({told})") from None


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
