"""Listeners where real systems would be: variables that lead to them, and a note of whoever calls."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

SYSTEMS = {
    "DATABASE_URL": "postgresql+psycopg://awase@127.0.0.1:{port}/awase",
    "SMTP_URL": "smtp://127.0.0.1:{port}",
    "SMARTHR_URL": "http://127.0.0.1:{port}/{{subdomain}}/api",
    "FREEE_API_URL": "http://127.0.0.1:{port}/hr",
    "FREEE_ACCOUNTS_URL": "http://127.0.0.1:{port}",
    "HTTP_PROXY": "http://127.0.0.1:{port}",
    "http_proxy": "http://127.0.0.1:{port}",
    "ALL_PROXY": "http://127.0.0.1:{port}",
}
WORDS = {
    "SECRET_KEY": "the-secret-key-of-the-real-system-0123456789",
    "ENCRYPTION_KEYS": "the-encryption-key-of-the-real-system",
    "FREEE_CLIENT_ID": "real",
    "FREEE_CLIENT_SECRET": "real",
    "AWASE_SMARTHR_TOKEN": "real",
    "AWASE_FREEE_ACCESS_TOKEN": "real",
    "AWASE_FREEE_REFRESH_TOKEN": "real",
    "DATA_DIR": "/nonexistent/real",
    "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1",
}


class Strangers:
    """One listener per variable. `callers`: the variables somebody followed."""

    def __init__(self) -> None:
        self.callers: list[str] = []
        self.env = dict(WORDS)
        self._open: list[socket.socket] = []

    def __enter__(self) -> Strangers:
        for name, address in SYSTEMS.items():
            server = socket.create_server(("127.0.0.1", 0))
            self._open.append(server)
            self.env[name] = address.format(port=server.getsockname()[1])
            threading.Thread(target=self._listen, args=(name, server), daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for server in self._open:
            server.close()

    def _listen(self, name: str, server: socket.socket) -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return  # closed
            self.callers.append(name)
            caller.close()
