"""`make bare`: way (a) of docs/deploy/README.md by copy and paste, in a bare Debian whose systemd boots, timed.

Only the page's own blocks are run, in order, and `/etc/awase/awase.env` is filled in as the page says; beside it stand
the practice vendors and the practice mail server of this machine. At the end the administrator signs in, and the
practice company is connected and checked. As root on Linux, with mmdebstrap and a way to Debian's and Python's
packages: `--share PATH` hands a file or folder of this machine into the bare one (certificates, a folder of wheels).
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from app.practice.house.connecting import tokens_of, words_to_add
from app.practice.house.environment import practice_vendors
from app.practice.staff.tenants import tenant
from tests.deploy.installed import ROOT
from tests.docs.test_deployment_page import blocks
from tests.forms import token_in
from tests.ports import free_port

PAGE = ROOT / "docs" / "deploy" / "README.md"
BOOT = Path(__file__).with_name("boot.sh")
TOOLS = ("mmdebstrap", "unshare", "nsenter", "git")
PACKAGES = "systemd-sysv,dbus,adduser,ca-certificates"
"""What every installed Debian has and its smallest root has not."""
PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_SECONDS = 60
AS_FILES = ("SMTP_URL", "FREEE_CLIENT_SECRET")
"""Settings that hold a secret: a file of its own each, and its line in the settings."""


class Failed(Exception):
    """A step of the page did not do what it says; the text is what it printed."""


@dataclass
class Machine:
    """A Debian that runs. `pid`: of its systemd, as seen from here."""

    root: Path
    pid: int
    environment: dict[str, str]
    took: dict[str, float] = field(default_factory=dict)

    def run(self, script: str, **more: str) -> str:
        """What a shell of root prints there; raises Failed with everything when a line of it fails."""
        enter = ["nsenter", f"--target={self.pid}", "-m", "-p", "-i", "-u", "-C", "-r", "-w"]
        done = subprocess.run(
            [*enter, "/bin/bash", "-e", "-c", script],
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{script}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def step(self, name: str, script: str, **more: str) -> str:
        """As `run`, timed."""
        began = time.monotonic()
        told = self.run(script, **more)
        self.took[name] = time.monotonic() - began
        print(f"{self.took[name]:7.1f} s  {name}", flush=True)
        return told


def make_root(root: Path) -> None:
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)], check=True
    )
    repository = root / "srv" / "awase.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), str(repository)], check=True)
    subprocess.run(["git", "-C", str(repository), "branch", "--force", "main", "HEAD"], check=False)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")


@contextmanager
def booted(root: Path, shared: Sequence[str], variables: dict[str, str]) -> Iterator[Machine]:
    """Its systemd is the first process of namespaces of its own, and gone with all below it afterwards."""
    unshare = ["unshare", "--pid", "--fork", "--mount", "--ipc", "--uts", "--cgroup", "--kill-child=SIGKILL"]
    with (root.parent / "boot.log").open("wb") as log:
        outer = subprocess.Popen(["sh", str(BOOT), *unshare, "--", str(root), *shared], stdout=log, stderr=log)
        try:
            environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
            passed = {name: os.environ[name] for name in PASSED if name in os.environ}
            machine = Machine(root, _first_below(outer), {**environment, **passed, **variables})
            _await_boot(machine)
            yield machine
        finally:
            outer.kill()
            outer.wait(20)


def _first_below(outer: subprocess.Popen[bytes]) -> int:
    """systemd's number here: the only child of unshare, once it is there."""
    for _ in range(100):
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        found = children.read_text().split() if children.exists() else []
        if found and Path(f"/proc/{found[0]}/comm").read_text().strip() == "systemd":
            return int(found[0])
        time.sleep(0.1)
    raise Failed("systemd does not start")


def _await_boot(machine: Machine) -> None:
    until = time.monotonic() + BOOT_SECONDS
    told = ""
    while time.monotonic() < until:
        try:
            told = machine.run("systemctl is-system-running || true").strip()
        except Failed as why:
            told = str(why)
        if told in ("running", "degraded"):
            return
        time.sleep(0.5)
    raise Failed(f"systemd does not come up: {told}")


@contextmanager
def practice_outside(folder: Path) -> Iterator[dict[str, str]]:
    """Both vendors and a mail server on this machine; the settings that lead to them. With PRACTICE_PATH their secrets,
    which everybody knows, are taken."""
    ports = {name: free_port() for name in ("smarthr", "freee", "mailbox")}
    with ExitStack() as stack:
        for name, port in ports.items():
            command = [sys.executable, "-m", "app.practice.server", name, "--port", str(port)]
            command += ["--folder", str(folder / "mail")] if name == "mailbox" else []
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        vendors = practice_vendors(*(f"http://127.0.0.1:{ports[name]}" for name in ("smarthr", "freee")))
        yield {**vendors, "PRACTICE_PATH": "/_practice/", "SMTP_URL": f"smtp://127.0.0.1:{ports['mailbox']}"}


def way_a() -> list[str]:
    """The page's blocks of that way, without the one for PostgreSQL."""
    page = PAGE.read_text(encoding="utf-8")
    section = page[page.index("## (a)") : page.index("## (b)")]
    return [block for block in blocks(section) if "postgresql" not in block]


def fill_in(machine: Machine, url: str, port: int, practice: dict[str, str]) -> None:
    """What the page leaves to the person: BASE_URL, MAIL_FROM, FREEE_CLIENT_ID, secrets as files with a line each.

    The vendors are practice ones, so their addresses stand there as well; nothing stands in front of it here."""
    file = machine.root / "etc" / "awase" / "awase.env"
    credentials = machine.root / "etc" / "awase" / "credentials"
    text = file.read_text(encoding="utf-8")
    for name in AS_FILES:
        secret = credentials / name.lower()
        secret.write_text(practice[name], encoding="utf-8")
        secret.chmod(0o600)
        text = text.replace(f"#{name}_FILE=", f"{name}_FILE=")
    settings = {"BASE_URL": url, "MAIL_FROM": "awase@example.com", "TRUSTED_PROXIES": "0", "PORT": str(port)}
    settings |= {name: value for name, value in practice.items() if name not in AS_FILES}
    for name, value in settings.items():
        text = re.sub(rf"^{name}=.*\n", "", text, flags=re.MULTILINE) + f"{name}={value}\n"
    file.write_text(text, encoding="utf-8")


def signed_in(url: str, login: str, password: str) -> str:
    """The page on which an administrator finds themselves. Raises Failed."""
    with requests.Session() as browser:
        browser.trust_env = False
        form = {"csrf_token": token_in(browser.get(f"{url}/sign-in", timeout=30).text), "login": login}
        page = browser.post(f"{url}/sign-in", data={**form, "password": password}, timeout=30)
        if page.status_code != 200 or login not in page.text:
            raise Failed(f"the administrator cannot sign in: {page.status_code}")
        return page.url


def trial(machine: Machine, practice: dict[str, str]) -> None:
    installing, keys, starting = way_a()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    machine.step("the code and what it needs", installing, AWASE_REPOSITORY="/srv/awase.git")
    machine.step("keys and settings", f"cd /opt/awase\n{keys}")
    fill_in(machine, url, port, practice)
    told = machine.step("units, start, doctor, first administrator", f"cd /opt/awase\n{starting}")
    login, password = re.findall(r"^(?:ログイン名|パスワード): (\S+)$", told, flags=re.MULTILINE)
    print(f"           signed in: {signed_in(url, login, password)}", flush=True)
    words = shlex.join(words_to_add(tenant(1)))
    key = machine.step("the practice company is connected", f"awase {words}", **tokens_of(tenant(1))).strip()
    print(machine.step("and checked", f"awase connection check {shlex.quote(key.split()[-1])}"), flush=True)
    failed = machine.run("systemctl list-units --failed --no-legend 'awase*'").strip()
    if failed:
        raise Failed(failed)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bare", description=__doc__)
    parser.add_argument("--share", action="append", default=[], metavar="PATH")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable of its shells")
    options = parser.parse_args(arguments)
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking or os.geteuid() != 0:
        print(f"needs root, and {', '.join(lacking) or 'all tools are here'}", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="awase-bare-")))
        began = time.monotonic()
        make_root(folder / "root")
        print(f"{time.monotonic() - began:7.1f} s  a bare Debian (not the page's)", flush=True)
        practice = stack.enter_context(practice_outside(folder))
        variables = dict(each.split("=", 1) for each in options.set)
        machine = stack.enter_context(booted(folder / "root", options.share, variables))
        try:
            trial(machine, practice)
        except Failed as why:
            print(f"failed: {why}", file=sys.stderr)
            print(machine.run("journalctl --no-pager -n 60 -o cat 2>&1 || true"), file=sys.stderr)
            return 1
        print(f"{sum(machine.took.values()):7.1f} s  from the page's first line to a connected company", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
