"""Real HTTP for the practice vendors: in a thread for tests, as a process for `make run` and `make demo`.

`python -m app.practice.server smarthr|freee|mailbox --port N [--extra N] [--log FILE] [--state FILE]
[--rates fast|real] [--companies N] [--switch NAME=JSON] [--webhook-url URL --webhook-token T]` prints one JSON line
`{"url": …, "port": …}` when it listens and ends on SIGTERM or Ctrl-C. The webhook options are for freee only. With
several companies each keeps a file of its own: of the second, FILE's name with `-2`.
Werkzeug's own request handler closes every connection; this one keeps them (HTTP/1.1), as the vendors do, and cuts the
open ones when it stops, so that a stopped vendor is really gone.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app.practice.smarthr.practice_smarthr import smarthr_of
from app.practice.smarthr.several import create_tenants
from app.practice.staff.practice_company import build_company, japan_today
from app.practice.staff.tenants import MOST, tenants
from app.practice.vendor_kit.limits import BY_NAME, FAST
from app.practice.vendor_kit.mailbox import Mailbox
from app.practice.vendor_kit.persistence import Keeper, Memory, kept_in
from app.practice.vendor_kit.private_files import keep_private
from app.practice.vendor_kit.webhooks import Deliverer, deliverers_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"


class KeepAliveHandler(WSGIRequestHandler):
    """One connection, many requests; silent. Every answer needs a Content-Length, else its connection closes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two small writes: Nagle would hold the second one back

    def setup(self) -> None:
        super().setup()
        _connections(self.server).add(self.connection)

    def finish(self) -> None:
        _connections(self.server).discard(self.connection)
        try:
            super().finish()
        except ConnectionError:  # cut by a fault: nothing left to flush
            self.close_connection = True

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(self._whole_body(environ))
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            started.append((status, headers))
            return self.wfile.write

        parts = self.server.app(environ, start_response)
        try:
            self._answer(parts, started, head_only=environ["REQUEST_METHOD"] == "HEAD")
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def _whole_body(self, environ: dict[str, Any]) -> bytes:
        """The request's body, read before the answer: an unread rest would be taken for the next request."""
        if environ.get("wsgi.input_terminated"):
            body: bytes = environ["wsgi.input"].read()
            return body
        return self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))

    def _answer(
        self, parts: Iterable[bytes], started: list[tuple[str, list[tuple[str, str]]]], *, head_only: bool
    ) -> None:
        headers_sent = False
        for part in parts:
            if not headers_sent:
                self._send_head(*started[-1])
                headers_sent = True
            if part and not head_only:
                self.wfile.write(part)
        if not headers_sent:
            self._send_head(*started[-1])

    def _send_head(self, status: str, headers: list[tuple[str, str]]) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if code not in ("204", "304") and not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Connection", "close")
        self.end_headers()

    def version_string(self) -> str:
        return "practice"

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Log nothing here: the wire keeps the log."""

    def log_error(self, format: str, *args: Any) -> None:
        """Log nothing here: broken requests and cut connections are part of the exercise."""


def _connections(server: BaseWSGIServer) -> set[socket.socket]:
    opened: set[socket.socket] = server.__dict__.setdefault("practice_connections", set())
    return opened


@dataclass(frozen=True)
class RunningServer:
    """A server that listens. `url` without a slash at the end."""

    url: str
    port: int
    server: BaseWSGIServer
    thread: threading.Thread
    deliverers: tuple[Deliverer, ...] = ()

    def stop(self) -> None:
        """Stop listening, close every open connection and send nothing more."""
        for each in self.deliverers:
            each.stop()
        self.server.shutdown()
        self.server.server_close()
        for connection in list(_connections(self.server)):
            _shut(connection)
        self.thread.join(timeout=5)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the connection's own thread has closed it meanwhile
        return


def start_in_thread(app: WSGIApplication, *, host: str = HOST, port: int = 0) -> RunningServer:
    """Serve on a free port (or the given one) until `stop()`."""
    server = make_server(host, port, app, threaded=True, request_handler=KeepAliveHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    deliverers = tuple(deliverers_of(app))
    for each in deliverers:
        each.start()
    return RunningServer(f"http://{host}:{server.port}", server.port, server, thread, deliverers)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    if options.what == "mailbox":
        return _serve(_mailbox(options), stop)
    vendor, apps = _vendor(options)
    keepers = [] if options.state is None else _keepers(options, apps)
    for keeper, app in zip(keepers, apps, strict=False):
        keeper.start(app)
    try:
        return _serve(start_in_thread(vendor, host=options.host, port=options.port), stop)
    finally:
        for keeper in keepers:
            keeper.stop()


def _keepers(options: argparse.Namespace, apps: Sequence[Flask]) -> list[Keeper]:
    """One a company, so that companies may come and go and those that stay remember."""
    company = {"vendor": options.what, "extra": options.extra, "equal_share": options.equal_share}
    return [Keeper(kept_in(options.state, number), company, _memory(app)) for number, app in enumerate(apps, start=1)]


def _memory(app: Flask) -> Memory:
    if "smarthr" in app.extensions:
        return smarthr_of(app).memory
    from app.practice.freee.practice_freee import freee_of  # a SmartHR process does not need it

    return freee_of(app).memory


def _serve(running: RunningServer | Mailbox, stop: threading.Event) -> int:
    print(json.dumps({"url": running.url, "port": running.port}), flush=True)
    stop.wait()
    running.stop()
    return 0


def _mailbox(options: argparse.Namespace) -> Mailbox:
    mailbox = Mailbox(options.folder, host=options.host, port=options.port, log_file=options.log)
    mailbox.start()
    if options.control is not None:
        control = start_in_thread(mailbox.control_app(), host=options.host, port=options.control)
        print(json.dumps({"control": control.url}), flush=True)
    return mailbox


def _vendor(options: argparse.Namespace) -> tuple[WSGIApplication, list[Flask]]:
    """The vendor, and the app of each of its companies."""
    today = japan_today()
    sizes = {"extra": options.extra, "equal_share": options.equal_share}
    companies = [build_company(today, **sizes, tenant=each) for each in tenants(options.companies)]
    common: dict[str, Any] = {
        "switches": {name: json.loads(value) for name, value in (each.split("=", 1) for each in options.switch)},
        "rates": BY_NAME[options.rates],
        "log_file": options.log,
    }
    if options.what == "smarthr":
        vendor, apps = create_tenants(companies, **common)
    else:
        from app.practice.freee.several import create_companies  # a SmartHR process does not need it

        webhook = {"webhook_url": options.webhook_url, "webhook_token": options.webhook_token}
        vendor, apps = create_companies(companies, **common, **webhook)
    return (vendor if len(apps) > 1 else apps[0]), apps


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.practice.server", description="One practice vendor.")
    parser.add_argument("what", choices=("smarthr", "freee", "mailbox"))
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=0, help="0 = any free one, told on the first line printed")
    parser.add_argument("--log", type=Path, help="append every request as a JSON line")
    parser.add_argument("--state", type=Path, help="vendors: keep everything in this file across restarts")
    parser.add_argument("--extra", type=int, default=0, help="generated people beside the base ones")
    parser.add_argument("--equal-share", type=float, default=0.95, help="share of them that is equal on both sides")
    parser.add_argument("--companies", type=int, choices=range(1, MOST + 1), default=1, metavar="N")
    rates = next(name for name, value in BY_NAME.items() if value is FAST)
    parser.add_argument("--rates", choices=sorted(BY_NAME), default=rates)
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=JSON", help="a switch's first position")
    parser.add_argument("--webhook-url", default="", help="freee: where notifications go")
    parser.add_argument("--webhook-token", default="", help="freee: the verification token they carry")
    parser.add_argument("--folder", type=Path, default=Path("mail"), help="mailbox: where messages are kept")
    parser.add_argument("--control", type=int, help="mailbox: port of the control routes, 0 = any")
    return parser


if __name__ == "__main__":
    keep_private()
    sys.exit(main())
