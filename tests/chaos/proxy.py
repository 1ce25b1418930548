"""A small TCP proxy between Awase and the broker or the mail server, which can be made slow, deaf or absent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CHUNK = 65536


@dataclass
class Proxy:
    """Listens on `host`:`port` and forwards to `target`: a Unix socket's path or a port of this machine.

    `deaf`: connections are taken and nothing gets through (black hole). `delay`: seconds before each piece.
    """

    target: Path | int
    port: int = 0
    deaf: bool = False
    delay: float = 0.0
    host: str = "127.0.0.1"
    """Where it listens."""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def start(self) -> None:
        threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()
        self.listen()

    def stop(self) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def listen(self) -> None:
        """Take connections (again), on the same port as before."""
        self._do(self._listen())

    def refuse(self) -> None:
        """Nobody listens, and every open connection is cut."""
        self._do(self._refuse())

    def pass_on(self) -> None:
        """As a wire. What was held back is lost, and its connections are cut."""
        self.deaf, self.delay = False, 0.0
        self._do(self._cut())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            to_reader, to_writer = await self._connect()
        except OSError:
            self._open.discard(writer)
            writer.transport.abort()
            return
        self._open.add(to_writer)
        await asyncio.gather(self._pump(reader, to_writer), self._pump(to_reader, writer))
        self._open -= {writer, to_writer}

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(str(self.target))
        return await asyncio.open_connection("127.0.0.1", self.target)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until either side ends."""
        try:
            while piece := await reader.read(_CHUNK):
                await asyncio.sleep(self.delay)
                if not self.deaf:
                    writer.write(piece)
                    await writer.drain()
        except OSError:
            pass  # cut on purpose, or the other side went
        writer.close()
