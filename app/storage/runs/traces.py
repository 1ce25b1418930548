"""How a change came about, as its column keeps it, encrypted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.domain.codecs.steps import TraceStep
from app.domain.planning.plan import Trace
from app.storage.vault import Vault


class SealedTrace:
    """A trace that is opened only when somebody looks at it: lists of many people go on without."""

    def __init__(self, vault: Vault, token: str) -> None:
        self._vault, self.token = vault, token

    def __repr__(self) -> str:
        return "SealedTrace(...)"

    def open(self) -> Trace:
        """Raises VaultError."""
        found = self._vault.decrypt_json(self.token)
        return Trace(
            tuple(found["read"]), _steps(found["steps"]), _steps(found["writing"]), tuple(found["lost"]), found["held"]
        )


def _steps(kept: Iterable[tuple[str, Iterable[Any]]]) -> tuple[TraceStep, ...]:
    return tuple(TraceStep(name, tuple(values)) for name, values in kept)


def is_trivial(trace: Trace) -> bool:
    """Whether the trace says nothing but that the value was carried as it stands."""
    return not (trace.steps or trace.writing or trace.lost or trace.held)


def seal_trace(vault: Vault, trace: Trace | SealedTrace | None) -> str | None:
    """The trace as its column keeps it; None for one that says nothing."""
    if trace is None or (isinstance(trace, Trace) and is_trivial(trace)):
        return None
    if isinstance(trace, SealedTrace):
        return trace.token
    steps, written = ([[step.name, step.values] for step in each] for each in (trace.steps, trace.writing))
    told = {"read": trace.read, "steps": steps, "writing": written, "lost": trace.lost, "held": trace.held}
    return vault.encrypt_json(told)
