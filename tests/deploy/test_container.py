"""The container's entry and the compose files: what they start together is one service, on what they mount alone."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from tests.deploy import units
from tests.deploy.installed import KINDS, ROOT, await_that, clean_environment, install, is_ready, living
from tests.ports import free_port

CONTAINER = ROOT / "docs" / "deploy" / "container"
COMPOSE = ("compose.yaml", "compose.sqlite.yaml")
STAY = {"web", "relay", "cron", "worker-interactive", "worker-bulk"}


def composed(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONTAINER / name).read_text(encoding="utf-8"))


def ours(name: str) -> dict[str, dict[str, Any]]:
    """The services that are made of our image."""
    return {each: told for each, told in composed(name)["services"].items() if told["image"] == "awase"}


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """As the image has it: /opt/awase with the entry."""
    folder = install(tmp_path / "opt")
    (folder / ".env").unlink()
    units.link_interpreter(folder)
    entry = (CONTAINER / "entry").read_text(encoding="utf-8").replace("/opt/awase", str(folder))
    (folder / "entry").write_text(entry, encoding="utf-8")
    return folder


def image_environment() -> dict[str, str]:
    """What the image sets."""
    told = (CONTAINER / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^ENV (.*)$", told, flags=re.MULTILINE)
    return dict(pair.split("=", 1) for pair in line.split())


class Engine:
    """Runs services of a compose file as processes: their command, their environment, their secrets and volumes."""

    def __init__(self, folder: Path, installation: Path, name: str, **settings: str) -> None:
        self.folder, self.installation, self.settings = folder, installation, settings
        self.services = ours(name)
        self.secrets = composed(name)["secrets"]
        for secret in self.secrets:
            (folder / secret).write_text(f"{secrets.token_urlsafe(48)}\n", encoding="utf-8")

    def environment(self, service: str) -> dict[str, str]:
        told = self.services[service]
        given = {
            name: str(value).replace("/run/secrets", str(self.folder)) for name, value in told["environment"].items()
        }
        assert {Path(value).name for name, value in given.items() if name.endswith("_FILE")} == {*told["secrets"]}
        file = units.variables((CONTAINER / "awase.env.example").read_text(encoding="utf-8"))
        own = {"DATA_DIR": str(self.folder / "volume"), "ALIVE_FILE": str(self.folder / f"{service}.alive")}
        return clean_environment(**{**image_environment(), **file, **given, **own, **self.settings})

    def run(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(self.installation / "entry"), *(words or self.services[service]["command"])]
        around = self.environment(service)
        return subprocess.run(command, env=around, cwd="/", capture_output=True, text=True, timeout=120)

    @contextmanager
    def started(self, service: str) -> Iterator[subprocess.Popen[bytes]]:
        command = ["sh", str(self.installation / "entry"), *self.services[service]["command"]]
        with (self.folder / f"{service}.log").open("wb") as log:
            process = subprocess.Popen(command, env=self.environment(service), cwd="/", stdout=log, stderr=log)
            try:
                yield process
            finally:
                process.terminate()
                process.wait(60)
        assert "Traceback" not in (self.folder / f"{service}.log").read_text(encoding="utf-8")


@pytest.mark.processes
@pytest.mark.reach("all")  # before every change, the commands of systemd do the same
def test_the_small_composition_is_one_service(tmp_path: Path, installation: Path) -> None:
    port = free_port()
    settings = {"PORT": str(port), "BIND": "127.0.0.1", "BASE_URL": f"http://127.0.0.1:{port}"}
    (tmp_path / "volume").mkdir(mode=0o700)
    engine = Engine(tmp_path, installation, "compose.sqlite.yaml", **settings)
    migrated = engine.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert engine.run("web", "healthy").returncode != 0
    with ExitStack() as running:
        for service in ("broker", *sorted(STAY)):
            running.enter_context(engine.started(service))
        await_that(lambda: is_ready(port))
        await_that(lambda: living(tmp_path / "volume" / "awase.db") >= KINDS)
        for service in STAY:
            await_that(lambda service=service: engine.run(service, "healthy").returncode == 0)
        told = engine.run("web", "flask", "user", "first", "jinji@example.com", "--json")
        assert '"password"' in told.stdout, told.stderr
    (tmp_path / "web.alive").touch()
    subprocess.run(["touch", "--date=3 minutes ago", str(tmp_path / "web.alive")], check=True)
    assert engine.run("web", "healthy").returncode != 0


@pytest.mark.processes
def test_the_entry_refuses_what_it_does_not_know(tmp_path: Path, installation: Path) -> None:
    engine = Engine(tmp_path, installation, "compose.sqlite.yaml")
    assert [engine.run("web", word).returncode for word in ("", "sh")] == [64, 64]
    assert "bulk" in engine.run("web", "worker").stderr


@pytest.mark.parametrize("name", COMPOSE)
def test_a_composition_is_whole_and_gives_little_away(name: str) -> None:
    told, services = composed(name), ours(name)
    assert set(services) >= {*STAY, "migrate"}
    for service, each in services.items():
        assert each["read_only"] and each["cap_drop"] == ["ALL"] and each["mem_limit"], service
        assert "no-new-privileges:true" in each["security_opt"]
        assert any(mount.startswith("/tmp:") for mount in each["tmpfs"])
        assert set(each["secrets"]) <= set(told["secrets"])
        assert set(each["depends_on"]) <= set(told["services"])
    for service in STAY:
        assert services[service]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[service]["restart"] == "unless-stopped"
    assert services["migrate"]["restart"] == "no"
    assert all(port.startswith("127.0.0.1:") for each in told["services"].values() for port in each.get("ports", []))
    assert all("password" not in str(each.get("environment", {}).get(key, "")) or key.endswith("_FILE")
               for each in told["services"].values() for key in each.get("environment", {}))  # fmt: skip


@pytest.mark.parametrize("name", COMPOSE)
def test_all_containers_of_a_composition_have_one_identity(name: str) -> None:
    """A container without the others' identity takes the database for a copy and rests."""
    made = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
    usual = f"{image_environment()['DATA_DIR']}/house.id"
    places = set()
    for service, each in ours(name).items():
        file = PurePosixPath(each["environment"].get("HOUSE_FILE", usual))
        mounts = dict(volume.split(":")[:2] for volume in each.get("volumes", []))
        (volume,) = [volume for volume, place in mounts.items() if PurePosixPath(place) == file.parent]
        places.add((volume, file))
        assert f" {file.parent}" in made, f"{service}: its user could not write a folder that the image does not make"
    (place,) = places
    assert place[0] in composed(name)["volumes"]


def test_the_broker_of_the_large_one_evicts_nothing_and_stands_apart() -> None:
    services = composed("compose.yaml")["services"]
    valkey = services["valkey"]["command"]
    assert valkey[valkey.index("--maxmemory-policy") + 1] == "noeviction"
    assert services["valkey"]["networks"] == services["postgres"]["networks"] == ["inside"]
    assert composed("compose.yaml")["networks"]["inside"]["internal"] is True


def test_the_image_is_nobody_and_holds_what_the_service_needs() -> None:
    told = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001:10001$", told, flags=re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*healthy", told, flags=re.MULTILINE)
    # A person's home is never taken for a folder of Awase alone (`flask doctor`: data_dir_shared).
    assert "--home-dir /nonexistent" in told
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)$", told, flags=re.MULTILINE) for word in line.split()[:-1]
    }
    copied -= {"wheelhouse*"}  # there where no index can be reached
    assert all((ROOT / each).exists() for each in copied)
    taken = {
        line.removeprefix("!") for line in (CONTAINER / "Containerfile.dockerignore").read_text("utf-8").splitlines()
    }
    assert copied <= taken
