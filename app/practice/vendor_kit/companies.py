"""Several companies of one vendor behind one address: each is an app of its own, with its own people, switches, faults,
limits and log.

A vendor's call says by itself whose it is (`of_call`). A control route says it with `?company=KEY` or, where a JSON
object is sent, with `"company": KEY` in it; KEY is the vendor's own name for the company or its number in the house.
Without it, what is switched or reset concerns every company (the vendor is down for all), everything else the first.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from flask import Flask

from app.practice.vendor_kit.fault_injection import CONTROL, whole_answer
from app.practice.vendor_kit.faults import Answer
from app.practice.vendor_kit.from_here import comes_from_here

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NAMES = "practice.companies"
"""In the environ of a control route: key → name of every company, for the page of switches."""
LIST = f"{CONTROL}companies"
OF_ALL = ("faults", "odd", "switches", "reset", "requests", "clicks", "webhook", "tokens")
"""Control routes that change something of the vendor as a whole when they name no company."""
_READING = ("GET", "HEAD")


class Companies:
    """The vendor as a WSGI app. `names`: key → what people call the company, in the order of `apps`."""

    def __init__(
        self,
        apps: Mapping[str, Flask],
        *,
        names: Mapping[str, str],
        of_call: Callable[[WSGIEnvironment], str | None],
    ) -> None:
        self.apps = dict(apps)
        self._names = dict(names)
        self._of_call = of_call
        self._first = next(iter(self.apps))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if str(environ.get("PATH_INFO", "")).startswith(CONTROL):
            answer = self._controlled(environ)
            start_response(answer.status, answer.headers)
            return [answer.body]
        return self.apps.get(self._of_call(environ) or "", self.apps[self._first])(environ, start_response)

    def _controlled(self, environ: WSGIEnvironment) -> Answer:
        path = str(environ["PATH_INFO"])
        if path == LIST and comes_from_here(environ):
            return _json("200 OK", {"companies": [{"company": key, "name": name} for key, name in self._names.items()]})
        body, named = _asked_company(environ)
        if named is None:
            of_all = path.removeprefix(CONTROL).split("/")[0] in OF_ALL and environ["REQUEST_METHOD"] not in _READING
            answers = [self._ask(key, environ, body) for key in (self.apps if of_all else [self._first])]
            return answers[0]
        key = self._key(named)
        if key is None:
            return _json("404 NOT FOUND", {"message": "no company with this key or number"})
        return self._ask(key, environ, body)

    def _key(self, named: str) -> str | None:
        numbers = {str(number): key for number, key in enumerate(self.apps, start=1)}
        return named if named in self.apps else numbers.get(named)

    def _ask(self, key: str, environ: WSGIEnvironment, body: bytes) -> Answer:
        app: WSGIApplication = self.apps[key]
        sent = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), NAMES: self._names}
        return whole_answer(app, {**environ, **sent})


def _asked_company(environ: WSGIEnvironment) -> tuple[bytes, str | None]:
    """The body without the company's name, and that name; None where there is none."""
    body = body_of(environ)
    named = parse_qs(str(environ.get("QUERY_STRING", ""))).get("company")
    if named:
        return body, named[0]
    try:
        sent = json.loads(body) if body else None
    except ValueError:
        return body, None
    if not isinstance(sent, dict) or "company" not in sent:
        return body, None
    key = str(sent.pop("company"))
    return json.dumps(sent).encode(), key


def body_of(environ: WSGIEnvironment) -> bytes:
    """The whole body, which can be read again afterwards."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)


def _json(status: str, told: Any) -> Answer:
    body = json.dumps(told, ensure_ascii=False).encode()
    return Answer(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body)
