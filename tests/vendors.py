"""Both practice vendors on real HTTP, going from test to test: to make them takes longer than most tests with them.

A pair that is given back is reset, which is what the vendors' own `/_practice/reset` does. It is stopped instead when
the reset might not be all: when a test stopped it, gave it switches of its own, broke answers (a late one could still
write), or was broken off in the middle of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.server import RunningServer, start_in_thread
from app.practice.smarthr.practice_smarthr import create_smarthr
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.fault_injection import injector_of
from app.practice.vendor_kit.limits import FAST

PAIRS_KEPT = 6
_free: list[Vendors] = []


@dataclass(eq=False)
class Vendors:
    """SmartHR, freee."""

    company: PracticeCompany
    usual: bool
    apps: tuple[Flask, Flask]
    servers: tuple[RunningServer, RunningServer]
    first_masters: str
    lent: bool = True

    def give_back(self) -> None:
        """A second time changes nothing: another test may have the pair by then."""
        if not self.lent:
            return
        self.lent = False
        if not (self.usual and self._at_rest()):
            self.stop()
            return
        freee_of(self.apps[1]).set_webhook("")
        for app in self.apps:
            injector_of(app).reset()
        _free.append(self)
        if len(_free) > PAIRS_KEPT:  # the company that no test has wanted for longest
            _free.pop(0).stop()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def _at_rest(self) -> bool:
        wires = [injector_of(app) for app in self.apps]
        return (
            all(server.thread.is_alive() for server in self.servers)
            and not any(wire.fault_rules for wire in wires)
            and all(seen.status is not None and seen.fault is None for wire in wires for seen in wire.requests)
            and masters(self.apps[1]) == self.first_masters
        )


def take_vendors(
    company: PracticeCompany,
    smarthr_switches: Mapping[str, Any],
    freee_switches: Mapping[str, Any],
    freee_clock: Callable[[], float] | None = None,
) -> Vendors:
    """A pair as on the company's first day, the caller's until it is given back. `freee_clock`: instead of the real
    one, epoch seconds."""
    usual = not smarthr_switches and not freee_switches and freee_clock is None
    for pair in _free if usual else ():
        if pair.company == company:
            _free.remove(pair)
            pair.lent = True
            return pair
    apps = (
        create_smarthr(company, smarthr_switches, rates=FAST),
        create_freee(company, freee_switches, freee_clock, rates=FAST),
    )
    return Vendors(company, usual, apps, (start_in_thread(apps[0]), start_in_thread(apps[1])), masters(apps[1]))


def masters(app: Flask) -> str:
    """freee's masters, which its reset leaves as they are."""
    return repr(freee_of(app).house)
