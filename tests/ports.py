"""Ports for servers of tests that cannot choose their own."""

from __future__ import annotations

from app.practice.house.environment import Ports


def free_port() -> int:
    """None of those that the system gives to outgoing calls: one of them may be taken before the server starts."""
    return Ports.wanted(0).web
