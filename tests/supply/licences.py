"""Which licences the service may stand on, and how a package's own words are read as licences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

ALLOWED = frozenset(
    {
        *("MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Modification", "Apache-2.0", "PSF-2.0", "ISC"),
        *("MPL-2.0", "ZPL-2.1"),
        *("LGPL-3.0-only",),  # psycopg: used as it is, as a library of its own
    }
)
CLASSIFIERS = {
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Zope Public License": "ZPL-2.1",
    "License :: OSI Approved": "",  # says nothing by itself
}
READ_BY_A_PERSON = {
    "async-timeout": "Apache-2.0",  # not installed where its marker does not apply
    "colorama": "BSD-3-Clause",  # as above
    "jaconv": "MIT",  # its LICENSE file; its metadata name none
    "supervisor": "BSD-3-Clause-Modification",  # Repoze's; its metadata say "BSD-derived"
}


def named(component: Mapping[str, Any]) -> list[str]:
    """The licences of a CycloneDX component, as SPDX ids or expressions where its own words are known."""
    found = [_word(each) for each in component.get("licenses", ())]
    told = [CLASSIFIERS.get(word, word) for word in found]
    return list(dict.fromkeys(filter(None, told)))


def is_allowed(expression: str) -> bool:
    """An SPDX expression of AND and OR. One with brackets or exceptions is for a person to read: not allowed."""
    choices = re.split(r"\s+OR\s+", expression)
    return any(all(part in ALLOWED for part in re.split(r"\s+AND\s+", choice)) for choice in choices)


def refused(licences: Mapping[str, Iterable[str]]) -> list[str]:
    """Package → licences; returns a line for each package without any, or with one that is not allowed."""
    lines = []
    for name, told in sorted(licences.items()):
        words = list(told)
        if not words:
            lines.append(f"{name}: names no licence")
        lines += [f"{name}: {word} is not among the allowed licences" for word in words if not is_allowed(word)]
    return lines


def _word(entry: Mapping[str, Any]) -> str:
    licence = entry.get("license", {})
    return str(entry.get("expression") or licence.get("id") or licence.get("name") or "")
