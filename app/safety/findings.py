"""Finding: one line of `flask doctor`, in words that hold no secret."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How bad it is: nothing to do, something to look at, something that is broken or dangerous."""

    OK = "ok"
    NOTICE = "notice"
    BAD = "bad"

    @property
    def label(self) -> str:
        return {Level.OK: "ok", Level.NOTICE: "注意", Level.BAD: "異常"}[self]


@dataclass(frozen=True)
class Finding:
    """`code` is stable, `sentence` and `remedy` are Japanese; `remedy` is "" where nothing has to be done."""

    level: Level
    code: str
    sentence: str
    remedy: str = ""


def ok(code: str, sentence: str) -> Finding:
    return Finding(Level.OK, code, sentence)


def notice(code: str, sentence: str, remedy: str) -> Finding:
    return Finding(Level.NOTICE, code, sentence, remedy)


def bad(code: str, sentence: str, remedy: str) -> Finding:
    return Finding(Level.BAD, code, sentence, remedy)
