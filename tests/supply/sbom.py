"""`make sbom`: what the service consists of, as CycloneDX, and under which licences. Runs in the tools' environment.

The list is that of requirements.txt; what each package says of itself comes from the environment into which it was
installed. A pin that is missing there, stands at another version or has no allowed licence ends the command with 1.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tests.supply.licences import READ_BY_A_PERSON, named, refused
from tests.supply.pins import ROOT, Pin, pinned

FOLDER = ROOT / "var" / "supply"
SPECIFICATION = "1.6"


class Wrong(Exception):
    """The environment and the pins do not agree; the text says where."""


def installed(python: Path) -> dict[str, Any]:
    """What the tool finds in the environment of this interpreter."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--spec-version", SPECIFICATION]
    command += ["--output-reproducible", "--pyproject", str(ROOT / "pyproject.toml"), "--output-file", "-", str(python)]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


def of_pins(bom: dict[str, Any], wanted: Iterable[Pin]) -> dict[str, Any]:
    """The same document with exactly the pinned packages. Raises Wrong."""
    there = {canonicalize_name(each["name"]): each for each in bom["components"]}
    wrong = [line for pin in wanted if (line := _disagreement(pin, there.get(pin.name)))]
    if wrong:
        raise Wrong("\n".join(wrong))
    kept = [_component(pin, there.get(pin.name)) for pin in wanted]
    refs = {each["bom-ref"] for each in kept} | {bom["metadata"]["component"]["bom-ref"]}
    depends = [
        {**each, "dependsOn": [ref for ref in each.get("dependsOn", ()) if ref in refs]}
        for each in bom.get("dependencies", ())
        if each["ref"] in refs
    ]
    return {**bom, "components": kept, "dependencies": depends}


def _disagreement(pin: Pin, found: dict[str, Any] | None) -> str:
    if found is None:
        return f"{pin.name}: not installed" if pin.applies else ""
    return "" if found["version"] == pin.version else f"{pin.name}: {found['version']} installed, {pin.version} pinned"


def _component(pin: Pin, found: dict[str, Any] | None) -> dict[str, Any]:
    purl = f"pkg:pypi/{pin.name}@{pin.version}"
    made = found or {"type": "library", "bom-ref": purl, "name": pin.name, "version": pin.version, "purl": purl}
    if not named(made) and pin.name in READ_BY_A_PERSON:
        made = {**made, "licenses": [{"license": {"id": READ_BY_A_PERSON[pin.name]}}]}
    return made


def validate(text: str) -> None:
    """Raises Wrong for a document that CycloneDX's own schema refuses."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.from_version(SPECIFICATION)).validate_str(text)
    if error:
        raise Wrong(f"not valid CycloneDX {SPECIFICATION}: {error}")


def main() -> None:
    try:
        bom = of_pins(installed(ROOT / ".venv" / "bin" / "python"), pinned("requirements.txt"))
        text = json.dumps(bom, ensure_ascii=False, indent=2)
        validate(text)
    except Wrong as wrong:
        sys.exit(str(wrong))
    licences = {each["name"]: named(each) for each in bom["components"]}
    FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
    (FOLDER / "sbom.json").write_text(text, encoding="utf-8")
    with (FOLDER / "licences.csv").open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["package", "version", "licence"])
        rows.writerows([each["name"], each["version"], "; ".join(named(each))] for each in bom["components"])
    print(f"{len(licences)} packages: var/supply/sbom.json (CycloneDX {SPECIFICATION}), var/supply/licences.csv")
    lines = refused(licences)
    if lines:
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
