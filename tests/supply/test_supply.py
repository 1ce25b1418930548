"""What is installed is what was pinned, on every Python and system; what is listed of it is whole and allowed."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.supply.audit import AFFECTED, UNKNOWN, UNREACHED, WELL, verdict
from tests.supply.licences import READ_BY_A_PERSON, is_allowed, named, refused
from tests.supply.pins import FILES, PEERS, ROOT, TELEMETRY, Pin, pinned, pins
from tests.supply.sbom import Wrong, of_pins

PYTHONS = ["3.11.2", "3.11.7", "3.12.0", "3.13.0", "3.14.0"]
SYSTEMS = ["linux", "darwin"]


@pytest.mark.parametrize("file", FILES)
def test_every_pin_is_exact_and_has_hashes(file: str) -> None:
    found = pinned(file)
    assert len(found) > 40
    assert [pin.name for pin in found if not pin.hashes] == []
    assert {kind for pin in found for kind, _ in pin.hashes} == {"sha256"}
    assert all(len(digest) == 64 for pin in found for _, digest in pin.hashes)
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^/", text, flags=re.MULTILINE)


def test_what_is_tested_is_what_is_shipped() -> None:
    """The development pins hold the same versions, by the same hashes, as the ones of the service; so do the peers' and
    those of a service that tells a collector."""
    shipped = {"requirements-dev.txt": TELEMETRY, PEERS: "requirements.txt", TELEMETRY: "requirements.txt"}
    for file, of in shipped.items():
        tested = {pin.name: pin for pin in pinned(file)}
        assert [pin.name for pin in pinned(of) if tested.get(pin.name) != pin] == [], file


def test_every_direct_need_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {canonicalize_name(Requirement(each).name) for each in project["project"]["dependencies"]}
    assert wanted <= {pin.name for pin in pinned("requirements.txt")}
    asked = project["project"]["optional-dependencies"]["telemetry"]
    assert {canonicalize_name(each) for each in asked} <= {pin.name for pin in pinned(TELEMETRY)}
    for group, file in {"supply": "requirements-supply.txt", "peers": PEERS}.items():
        tools = {canonicalize_name(Requirement(each).name) for each in project["dependency-groups"][group]}
        assert tools <= {pin.name for pin in pinned(file)}


@pytest.mark.parametrize("file", ["requirements.txt", TELEMETRY])
@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_is_missing_on_another_python_or_system(python: str, file: str) -> None:
    """With hashes pip takes nothing that is not listed: one need of an older Python left out, and nobody there installs
    anything."""
    listed = {pin.name for pin in pinned(file)}
    missing = {
        f"{pin.name} needs {need.name} on {system}"
        for pin in pinned(file)
        for need in map(Requirement, _needs(pin))
        for system in SYSTEMS
        if _wanted(need, python, system) and canonicalize_name(need.name) not in listed
    }
    assert missing == set()


def _needs(pin: Pin) -> list[str]:
    return importlib.metadata.requires(pin.name) or [] if pin.applies else []


def _wanted(need: Requirement, python: str, system: str) -> bool:
    around = {"python_full_version": python, "python_version": python.rpartition(".")[0], "sys_platform": system}
    around |= {"platform_system": {"linux": "Linux", "darwin": "Darwin"}[system], "extra": ""}
    return need.marker is None or need.marker.evaluate(around)


def test_pip_is_told_to_take_nothing_without_a_hash() -> None:
    installs = re.findall(r"pip install.*", (ROOT / "Makefile").read_text(encoding="utf-8"))
    files = {line.rpartition("--requirement ")[2] for line in installs}
    assert files == set(FILES) - {TELEMETRY}, "what a collector needs is installed by whoever has one"
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_a_line_that_pins_nothing_is_refused() -> None:
    for line in ("flask>=3", "flask", "flask==3.*", "flask==3.1,<4"):
        with pytest.raises(ValueError, match=r"flask|unpack"):
            pins(line)


# ── the list of parts ─────────────────────────────────────────────────────────────────────────────────────────────────


def component(name: str, version: str, *licences: dict[str, Any]) -> dict[str, Any]:
    return {"type": "library", "bom-ref": f"ref-{name}", "name": name, "version": version, "licenses": list(licences)}


def bom(*components: dict[str, Any]) -> dict[str, Any]:
    refs = [each["bom-ref"] for each in components]
    return {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": list(components),
        "dependencies": [{"ref": "root", "dependsOn": refs}, *({"ref": ref, "dependsOn": refs} for ref in refs)],
    }


MIT = {"license": {"id": "MIT"}}


def pin(name: str, version: str, *, applies: bool = True) -> Pin:
    return Pin(name, version, applies, (("sha256", "0" * 64),))


def test_the_list_holds_the_pins_and_nothing_else() -> None:
    whole = bom(component("Flask", "3.1.3", MIT), component("pytest", "9.2.0", MIT))
    made = of_pins(whole, [pin("flask", "3.1.3"), pin("colorama", "0.4.6", applies=False)])
    assert [(each["name"], each["version"]) for each in made["components"]] == [
        ("Flask", "3.1.3"),
        ("colorama", "0.4.6"),
    ]
    assert {each["ref"] for each in made["dependencies"]} == {"root", "ref-Flask"}
    assert all(set(each["dependsOn"]) <= {"ref-Flask"} for each in made["dependencies"])
    assert named(made["components"][1]) == [READ_BY_A_PERSON["colorama"]]


def test_a_pin_that_is_not_installed_or_stands_at_another_version_is_no_list() -> None:
    with pytest.raises(Wrong) as told:
        of_pins(bom(component("flask", "3.0.0", MIT)), [pin("flask", "3.1.3"), pin("rq", "3.0.0")])
    assert str(told.value).splitlines() == ["flask: 3.0.0 installed, 3.1.3 pinned", "rq: not installed"]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        *(
            ("MIT", True),
            ("Apache-2.0 OR BSD-3-Clause", True),
            ("MPL-2.0 AND MIT", True),
            ("GPL-3.0-only OR MIT", True),
        ),
        *(("GPL-3.0-only", False), ("MIT AND AGPL-3.0-only", False), ("(MIT OR X) AND MIT", False), ("", False)),
        ("LicenseRef-Proprietary", False),
    ],
)
def test_a_licence_is_allowed_only_when_it_is_known(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) == allowed


def test_whoever_names_no_licence_or_another_one_is_named() -> None:
    told = {"a": ["MIT"], "b": [], "c": ["AGPL-3.0-only"], "d": ["License :: Other/Proprietary License"]}
    assert [line.partition(":")[0] for line in refused(told)] == ["b", "c", "d"]
    classifier = component("x", "1", {"license": {"name": "License :: OSI Approved :: BSD License"}})
    assert named(classifier) == ["BSD-3-Clause"]


# ── advisories ────────────────────────────────────────────────────────────────────────────────────────────────────────


def found(name: str, *ids: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", "vulns": [{"id": each, "fix_versions": ["2"]} for each in ids], **more}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        *(("", UNKNOWN), ("no JSON", UNKNOWN), ("[]", UNKNOWN), ('{"dependencies": []}', UNKNOWN)),
        (json.dumps({"dependencies": [found("a"), found("b")]}), WELL),
        (json.dumps({"dependencies": [found("a")]}), UNKNOWN),
        (json.dumps({"dependencies": [found("a"), {"name": "b", "skip_reason": "gone"}]}), UNKNOWN),
        (json.dumps({"dependencies": [found("a"), found("B", "CVE-1")]}), AFFECTED),
        (json.dumps({"dependencies": [found("b", "CVE-1")]}), AFFECTED),
    ],
)
def test_silence_is_no_answer(answer: str, code: int) -> None:
    ended, lines = verdict(answer, ["a", "b"])
    assert ended == code
    assert (UNREACHED in lines[0]) == (code == UNKNOWN) and ("CVE-1" in lines[0]) == (code == AFFECTED)
