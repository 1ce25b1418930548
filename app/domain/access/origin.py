"""Where an act comes from: the door, the address, the key or the person at the machine. The audit trail keeps it.

The door tells it once, and every entry that is made behind it takes it from here, so no use case on the way has to hand
it on, and none can forget to. A value of this context is seen by one request, command or thread only: whoever hands
work to another thread hands the context with it (`contextvars.copy_context().run`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Door(StrEnum):
    SCREEN = "screen"
    API = "api"
    WEBHOOK = "webhook"
    CLI = "cli"
    SERVICE = "service"
    """No door: a process of the service does by itself what a person has asked for before, or what the clock asks."""


@dataclass(frozen=True)
class Origin:
    """`actor`: who acts, as far as the door knows ("user:3", "key:ab12", "cli"). `address`: of the caller, "" where
    there is none. `via`: ids and names that help to find the caller: `request`, `key_name`, `os_user`, `sudo_user`."""

    door: Door
    actor: str
    address: str = field(default="", repr=False)
    via: Mapping[str, str] = field(default_factory=dict, repr=False)


_SERVICE = Origin(Door.SERVICE, "service")
_CURRENT: ContextVar[Origin] = ContextVar("origin", default=_SERVICE)


def current_origin() -> Origin:
    return _CURRENT.get()


def enter(origin: Origin) -> Token[Origin]:
    """From here on acts come from this origin. Give the token to `leave` when the request is over."""
    return _CURRENT.set(origin)


def leave(token: Token[Origin]) -> None:
    _CURRENT.reset(token)


def acting(actor: str, **via: str) -> None:
    """The door has found out who the caller is: a signed-in user, an API key."""
    here = _CURRENT.get()
    _CURRENT.set(replace(here, actor=actor, via={**here.via, **via}))


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    token = enter(origin)
    try:
        yield
    finally:
        leave(token)
