"""A real SMTP server that keeps every message it took as an .eml file, and can refuse, hang or vanish on purpose.

Switch `answer`: accept; "451" (not now); "550" (never); "hang" (no answer to the message for `hang_seconds`, then 451);
"drop_after_dot" (the message is kept, but the connection ends before the answer: the sender cannot know that).
`answer_times`: the next so many messages meet that answer, later ones are accepted; 0 = all of them.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP
from flask import Flask

from app.practice.vendor_kit.fault_injection import FaultInjector, Switch
from app.practice.vendor_kit.mailbox_page import mailbox_routes

ACCEPT, NOT_NOW, NEVER, HANG, DROP = "accept", "451", "550", "hang", "drop_after_dot"
SWITCHES = (
    Switch("answer", ACCEPT, (ACCEPT, NOT_NOW, NEVER, HANG, DROP), "what a message meets"),
    Switch("answer_times", 0, tuple(range(1001)), "how many messages meet it, 0 = all"),
    Switch("hang_seconds", 60, tuple(range(1, 601)), "how long `hang` says nothing"),
)


class Mailbox:
    """One SMTP server in a thread of its own. The control routes of the wire come with `control_app`."""

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, log_file: Path | None = None) -> None:
        self.folder = folder
        self.host = host
        self.port = port
        self.injector = FaultInjector(SWITCHES)
        self._log_file = log_file
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._met = 0

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        handler = _Handler(self)
        return await self._loop.create_server(lambda: SMTP(handler, loop=self._loop), self.host, self.port)

    def stop(self) -> None:
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def answer(self, answer: str, *, times: int = 0, hang_seconds: int = 60) -> None:
        """Meet the next `times` messages (0 = all) with this answer. Raises BadSwitch."""
        with self._lock:
            self._met = 0
        self.injector.set_switches({"answer": answer, "answer_times": times, "hang_seconds": hang_seconds})

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.eml"))

    @property
    def messages(self) -> list[EmailMessage]:
        """All messages kept so far, oldest first."""
        return [message_from_bytes(each.read_bytes(), policy=modern) for each in self.files]

    def control_app(self) -> Flask:
        """The wire's routes under /_practice/ (switches, state, reset), and at / the pages on which mails are read."""
        app = Flask("practice_mailbox")
        app.register_blueprint(mailbox_routes(self._named))
        self.injector.attach(app, state=lambda: {"messages": [each.name for each in self.files]}, on_reset=self._forget)
        return app

    def _named(self) -> list[tuple[str, EmailMessage]]:
        return [(each.stem, message) for each, message in zip(self.files, self.messages, strict=False)]

    def _forget(self) -> None:
        with self._lock:
            self._met = 0

    # ── from the SMTP thread ──────────────────────────────────────────────────────────────────────────────────────

    def next_answer(self) -> str:
        """The answer that this message meets; counts the message unless it is accepted."""
        times, answer = self.injector.switch("answer_times"), str(self.injector.switch("answer"))
        with self._lock:
            if answer == ACCEPT or (times and self._met >= times):
                return ACCEPT
            self._met += 1
        return answer

    def keep(self, content: bytes) -> None:
        """Store one message; the file appears whole or not at all."""
        with self._lock:
            last = max((int(each.stem) for each in self.files if each.stem.isdigit()), default=0)
            part = self.folder / f"{last + 1:06d}.part"
            part.write_bytes(content)
            part.rename(part.with_suffix(".eml"))

    def log(self, outcome: str, *, size: int, recipients: int) -> None:
        """Write one JSON line about a message, without its addresses and its text."""
        if self._log_file is None:
            return
        at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="microseconds")
        line = {"at": at, "outcome": outcome, "bytes": size, "recipients": recipients}
        with self._lock, self._log_file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        content = bytes(envelope.content)
        answer = self._mailbox.next_answer()
        self._mailbox.log(answer, size=len(content), recipients=len(envelope.rcpt_tos))
        if answer == HANG:
            await asyncio.sleep(float(self._mailbox.injector.switch("hang_seconds")))
        if answer in (HANG, NOT_NOW):
            return "451 4.3.2 Please try again later"
        if answer == NEVER:
            return "550 5.1.1 Mailbox unavailable"
        self._mailbox.keep(content)
        if answer == DROP:
            server.transport.abort()
        return "250 2.0.0 OK"
