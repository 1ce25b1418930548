"""How properties are tried: the same few examples in `make check` and `make test`, new and many in `make test-all`.

The same ones every time, so that no change is held up by a defect of another. `HYPOTHESIS_PROFILE=long` (make test-all)
looks for new ones, twenty times as many; what failed is kept in `.hypothesis/examples` and tried first the next time.
What was found goes into a test as plain values: the folder is no part of the project.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

FOUND = Path(__file__).resolve().parents[1] / ".hypothesis" / "examples"
MORE = 20
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)

settings.register_profile("same", PATIENT, derandomize=True, database=None)
settings.register_profile("long", PATIENT, max_examples=100 * MORE, database=DirectoryBasedExampleDatabase(FOUND))
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "same")
settings.load_profile(PROFILE)


def every(usual: int) -> int:
    """The step of a walk over all boundaries (transactions, requests): 1 in `make test-all`, else `usual`."""
    return 1 if PROFILE == "long" else usual


def examples(usual: int, **more: Any) -> settings:
    """A property with its own number of examples."""
    return settings(max_examples=usual * (MORE if PROFILE == "long" else 1), **more)
