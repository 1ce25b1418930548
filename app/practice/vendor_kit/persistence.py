"""A practice vendor's memory across restarts: one JSON file, written whole or not at all, a few seconds behind.

`make run` keeps Awase's database; a vendor that forgot everything would leave links pointing to people who are gone.
The file belongs to one company of one vendor and to its size. A file of another vendor or size, or one that cannot be
read, is moved aside; one line says so (stderr and `GET /_practice/kept`), and the company starts with its first day.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify

from app.practice.vendor_kit.fault_injection import CONTROL
from app.practice.vendor_kit.private_files import write_private

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORMAT = 1
SAVE_SECONDS = 2.0
"""How long after a change the file is written; a kill -9 loses no more than this."""
_READING = ("GET", "HEAD")
_TOKENS = "/public_api/"  # a GET there makes authorization codes


def kept_in(file: Path, number: int) -> Path:
    """Where the company with this number is kept: the first in the file itself, the others beside it."""
    return file if number == 1 else file.with_stem(f"{file.stem}-{number}")


class Unusable(Exception):
    """The file is not one of ours for this company; the text says why."""


@dataclass
class Memory:
    """What is kept of one vendor. `give` returns a value JSON can hold, `take` replaces everything by it or raises.

    Both are called with `lock` held. `take` may raise KeyError, TypeError, ValueError or AttributeError.
    """

    lock: AbstractContextManager[Any]
    give: Callable[[], Any]
    take: Callable[[Any], None]


@dataclass
class Keeper:
    """Reads the file once and writes it after changes. `company` (vendor, size) tells this company from others."""

    file: Path
    company: Mapping[str, Any]
    memory: Memory
    seconds: float = SAVE_SECONDS
    notice: str = ""
    """One line about a file that could not be used, "" when all is well."""
    _changed: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self, app: Flask) -> None:
        """Load, then watch every request of the app that may change something."""
        self.load()
        self._changed.set()  # the file exists from the beginning
        app.wsgi_app = _Watch(app.wsgi_app, self._changed)  # type: ignore[method-assign]
        app.add_url_rule(f"{CONTROL}kept", "practice_kept", self._told)
        self._thread = threading.Thread(target=self._keep_on, name="keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop keeping, after the file was written a last time."""
        self._ended.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join()
        self.save()

    def load(self) -> None:
        try:
            told = self._read()
        except FileNotFoundError:
            return
        except (OSError, Unusable) as error:
            self._set_aside(str(error))
            return
        try:
            with self.memory.lock:
                self.memory.take(told)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._set_aside(f"内容を読めません({type(error).__name__})")

    def save(self) -> None:
        """Write the file; what cannot be written now is tried again after the next change."""
        with self.memory.lock:
            text = json.dumps(
                {"format": FORMAT, "company": self.company, "kept": self.memory.give()}, ensure_ascii=False
            )
        try:
            write_private(self.file, text)
        except OSError as error:
            print(f"練習データを {self.file} に保存できません: {error.strerror}", file=sys.stderr, flush=True)

    def _read(self) -> Any:
        """The vendor's memory that the file holds. Raises OSError, Unusable."""
        try:
            told = json.loads(self.file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            raise Unusable("JSON として読めません") from None
        if not isinstance(told, dict) or told.get("format") != FORMAT or "kept" not in told:
            raise Unusable("形式が違います")
        if told.get("company") != dict(self.company):
            raise Unusable(f"別の大きさの練習用の会社のものです({_shown(told.get('company'))})")
        return told["kept"]

    def _set_aside(self, why: str) -> None:
        aside = next(
            each
            for number in range(1, 10_000)
            if not (each := self.file.with_name(f"{self.file.name}.old-{number}")).exists()
        )
        self.file.rename(aside)
        self.notice = f"{self.file.name} は使えないため {aside.name} に移し、初日の状態から始めます: {why}"
        print(self.notice, file=sys.stderr, flush=True)

    def _told(self) -> Response:
        return jsonify(file=str(self.file), notice=self.notice)

    def _keep_on(self) -> None:
        while self._changed.wait() and not self._ended.wait(self.seconds):
            self._changed.clear()
            self.save()


def _shown(company: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in company.items()) if isinstance(company, dict) else "?"


class _Watch:
    """Sets `changed` after each request that may have changed the vendor's state."""

    def __init__(self, app: WSGIApplication, changed: threading.Event) -> None:
        self._app = app
        self._changed = changed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._app(environ, start_response)
        finally:
            if environ["REQUEST_METHOD"] not in _READING or str(environ.get("PATH_INFO", "")).startswith(_TOKENS):
                self._changed.set()
