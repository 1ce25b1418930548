"""The wire in front of both simulators: request log, faults, switches and the control routes under /_practice/.

In a test: `wire = injector_of(app)`, then `wire.fault(method="POST", path="/crews$", status=503, times=1)`,
`wire.requests`, `wire.calls("PUT", "profile_rule")`, `wire.set_switch("plan_limit", True)`, `wire.reset()`.
Over HTTP the same under `/_practice/faults`, `/requests`, `/switches`, `/state`, `/reset`. None of these routes counts
as a vendor call, meets a fault or is slowed by a limit.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from flask import Blueprint, Flask, Response, jsonify, request

from app.practice.vendor_kit.faults import Answer, BadFault, Fault, FaultTable, faulty_answer, send
from app.practice.vendor_kit.from_here import comes_from_here
from app.practice.vendor_kit.meanwhile import Meanwhile
from app.practice.vendor_kit.odd_answers import OddAnswers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL = "/_practice/"


class BadSwitch(ValueError):
    """An unknown switch, or a value it cannot have."""


@dataclass(frozen=True)
class Switch:
    """One open question about the vendor, or one state of the tenant.

    `allowed` lists the values, a range from 0 on gives numbers; None allows any list of texts (the default must be a
    tuple then).
    """

    name: str
    default: Any
    allowed: tuple[Any, ...] | range | None = (False, True)
    note: str = ""

    def check(self, value: Any) -> Any:
        """The value in the form it is kept in. Raises BadSwitch."""
        if self.allowed is None:
            if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
                raise BadSwitch(f"{self.name}: a list of texts is wanted")
            return tuple(value)
        if isinstance(self.allowed, range):
            if type(value) is not int or value not in self.allowed:
                raise BadSwitch(f"{self.name}: a whole number from 0 to {self.allowed[-1]} is wanted")
        elif not any(type(value) is type(each) and value == each for each in self.allowed):
            raise BadSwitch(f"{self.name}: one of {', '.join(map(str, self.allowed))} is wanted")
        return value


@dataclass(frozen=True)
class SeenRequest:
    """One vendor call. `at` is the moment of arrival (epoch seconds); `status` None = no answer (yet)."""

    seq: int
    at: float
    method: str
    path: str
    query: str
    status: int | None = None
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="microseconds")
        return {**asdict(self), "at": moment, "epoch": self.at}


class FaultInjector:
    """Faults, log and switches of one simulated vendor. Every method may be called from any thread."""

    def __init__(self, switches: Iterable[Switch] = (), *, log_file: Path | None = None, company: str = "") -> None:
        """`company`: whose calls these are, in the log file that the companies of one vendor share."""
        self.company = company
        self.declared = {each.name: each for each in switches}
        self.lock = threading.RLock()
        self._defaults = {name: each.default for name, each in self.declared.items()}
        self._values = dict(self._defaults)
        self._faults = FaultTable()
        self.odd = OddAnswers()
        self._seen: list[SeenRequest] = []
        self._seq = 0
        self._meanwhile = Meanwhile()
        self._log: TextIO | None = log_file.open("a", encoding="utf-8", buffering=1) if log_file else None
        self._state: Callable[[], Any] = dict
        self._on_reset: Callable[[], None] = lambda: None

    # ── switches ──────────────────────────────────────────────────────────────────────────────────────────────────

    def switch(self, name: str) -> Any:
        return self._values[name]

    def set_switch(self, name: str, value: Any) -> None:
        self.set_switches({name: value})

    def set_switches(self, values: Mapping[str, Any], *, as_default: bool = False) -> None:
        """Set all of these switches or none. `as_default`: a reset comes back to these values. Raises BadSwitch."""
        unknown = set(values) - set(self.declared)
        if unknown:
            raise BadSwitch(f"unknown switch: {', '.join(sorted(unknown))}")
        checked = {name: self.declared[name].check(value) for name, value in values.items()}
        with self.lock:
            self._values.update(checked)
            if as_default:
                self._defaults.update(checked)

    @property
    def defaults(self) -> dict[str, Any]:
        """The values a reset comes back to."""
        with self.lock:
            return dict(self._defaults)

    @property
    def switches(self) -> dict[str, Any]:
        with self.lock:
            return {name: list(v) if isinstance(v, tuple) else v for name, v in self._values.items()}

    # ── faults, log ───────────────────────────────────────────────────────────────────────────────────────────────

    def fault(self, **rule: Any) -> None:
        """Add a rule; the keys are those of `Fault`. Raises BadFault."""
        fault = Fault.from_json(rule)
        with self.lock:
            self._faults.add(fault)

    def meanwhile(
        self, happens: Callable[[], object], *, method: str, path: str = "", nth: int = 1, carried_out: bool = False
    ) -> None:
        """Let something happen once, such as a person's edit, when the nth matching request (from now on) has arrived
        and is not carried out yet, or with `carried_out` when it is and its answer has not left."""
        self._meanwhile.add(happens, method=method, path=path, nth=nth, carried_out=carried_out)

    def forget_meanwhile(self) -> None:
        self._meanwhile.clear()

    def let_happen(self, seen: SeenRequest, *, carried_out: bool) -> None:
        self._meanwhile.let_happen(seen.method, seen.path, carried_out=carried_out)

    def clear_faults(self) -> None:
        with self.lock:
            self._faults.clear()

    @property
    def fault_rules(self) -> list[dict[str, Any]]:
        """The rules in force with how many requests each has seen and hit."""
        with self.lock:
            return self._faults.as_json()

    @property
    def requests(self) -> list[SeenRequest]:
        """Every vendor call so far in order of arrival, calls still running included."""
        with self.lock:
            return list(self._seen)

    def calls(self, method: str | None = None, path: str = "") -> int:
        """How many calls matched; `path` is a regular expression searched in the path."""
        pattern = re.compile(path)
        return sum(
            (method is None or each.method == method) and bool(pattern.search(each.path)) for each in self.requests
        )

    @property
    def counters(self) -> dict[str, int]:
        """Calls per `METHOD path`, ids replaced by `{id}`."""
        return dict(Counter(f"{each.method} {_ID.sub('/{id}', each.path)}" for each in self.requests))

    def forget_requests(self) -> None:
        """Empty the log in memory; the file and the numbering go on."""
        with self.lock:
            self._seen.clear()

    def reset(self) -> None:
        """Remove the faults, empty the log, and put the switches and the vendor's state back as at the start."""
        with self.lock:
            self._faults.clear()
            self.odd.clear()
            self._meanwhile.clear()
            self._seen.clear()
            self._values = dict(self._defaults)
        self._on_reset()

    # ── between the server and the app ────────────────────────────────────────────────────────────────────────────

    def attach(self, app: Flask, *, state: Callable[[], Any], on_reset: Callable[[], None]) -> None:
        """Wrap the app and give it the control routes. `state` returns a JSON-able dump of everything."""
        self._state, self._on_reset = state, on_reset
        app.extensions["wire"] = self
        app.register_blueprint(_control_routes(self))
        app.wsgi_app = _Middleware(self, app.wsgi_app)  # type: ignore[method-assign]

    def dump(self) -> Any:
        return self._state()

    def arrived(self, environ: WSGIEnvironment) -> tuple[SeenRequest, Fault | None]:
        """Log one vendor call and pick its fault."""
        method, path = str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", ""))
        with self.lock:
            self._seq += 1
            fault = self._faults.pick(method, path)
            seen = SeenRequest(self._seq, time.time(), method, path, str(environ.get("QUERY_STRING", "")))
            if fault is not None:
                seen = replace(seen, fault=fault.kind)
            self._seen.append(seen)
        return seen, fault

    def answered(self, seen: SeenRequest, status: int | None) -> None:
        """Write the outcome of a call to the log. The entry may be gone after a reset."""
        done = replace(seen, status=status)
        with self.lock:
            first = self._seen[0].seq if self._seen else self._seq + 1
            if seen.seq >= first:
                self._seen[seen.seq - first] = done
            self.write_down(done.as_json())

    def write_down(self, row: Mapping[str, Any]) -> None:
        """Append a line to the log file, if there is one. A line that is not about a vendor call carries a `kind`."""
        with self.lock:
            if self._log is not None:
                self._log.write(
                    json.dumps({**row, **({"company": self.company} if self.company else {})}, ensure_ascii=False)
                    + "\n"
                )


_ID = re.compile(r"/(?:\d+|[0-9a-f]{8}-[0-9a-f-]{27})(?=/|$)")


def injector_of(app: Flask) -> FaultInjector:
    """The wire in front of a practice vendor's app."""
    injector: FaultInjector = app.extensions["wire"]
    return injector


class _Middleware:
    def __init__(self, injector: FaultInjector, app: WSGIApplication) -> None:
        self.injector = injector
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if str(environ.get("PATH_INFO", "")).startswith(CONTROL):
            if not comes_from_here(environ):
                start_response("403 FORBIDDEN", [("Content-Type", "text/plain"), ("Content-Length", "0")])
                return [b""]
            return self.app(environ, start_response)
        seen, fault = self.injector.arrived(environ)
        self.injector.let_happen(seen, carried_out=False)
        if fault is None:
            answer = self._carry_out(environ, seen)
            self.injector.answered(seen, int(answer.status[:3]))
            start_response(answer.status, answer.headers)
            return [answer.body]
        return self._faulty(environ, fault, seen=seen, start_response=start_response)

    def _faulty(
        self, environ: WSGIEnvironment, fault: Fault, *, seen: SeenRequest, start_response: StartResponse
    ) -> Iterable[bytes]:
        answer = None
        if fault.after:
            answer = self._carry_out(environ, seen)
        time.sleep(fault.delay)
        if answer is None and not fault.replaces_answer and fault.cuts != "silent":
            answer = self._carry_out(environ, seen)
        time.sleep(fault.late)
        told = faulty_answer(fault, answer)
        self.injector.answered(seen, None if fault.cuts else int(told.status[:3]))
        return send(told, fault, environ, start_response=start_response)

    def _carry_out(self, environ: WSGIEnvironment, seen: SeenRequest) -> Answer:
        answer = self.injector.odd.told(seen.method, whole_answer(self.app, environ))
        self.injector.let_happen(seen, carried_out=True)
        return answer


def whole_answer(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """What the app answers, nothing of it on the wire yet."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Callable[[bytes], object]:
        started.append((status, headers))
        return written.append

    parts = app(environ, start)
    try:
        written.extend(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return Answer(*started[-1], b"".join(written))


def _control_routes(injector: FaultInjector) -> Blueprint:
    routes = Blueprint("practice_wire", __name__, url_prefix=CONTROL.rstrip("/"))

    @routes.errorhandler(BadFault)
    @routes.errorhandler(BadSwitch)
    def refuse(error: ValueError) -> tuple[Response, int]:
        return jsonify(message=str(error)), 400

    @routes.route("/faults", methods=["GET", "POST", "DELETE"])
    def faults() -> tuple[Response, int]:
        if request.method == "DELETE":
            injector.clear_faults()
        elif request.method == "POST":
            sent = request.get_json()
            for rule in sent if isinstance(sent, list) else [sent]:
                if not isinstance(rule, dict):
                    raise BadFault("a rule is a JSON object")
                injector.fault(**rule)
        return jsonify(injector.fault_rules), 201 if request.method == "POST" else 200

    @routes.route("/odd", methods=["POST", "DELETE"])
    def odd() -> tuple[str, int]:
        """`{"person": id, "path": "profile_rule.title", "text": "JSON text"}` shows this value of that person."""
        if request.method == "DELETE":
            injector.odd.clear()
            return "", 204
        sent = request.get_json()
        if not isinstance(sent, dict) or set(sent) != {"person", "path", "text"}:
            raise BadSwitch("person, path and text are wanted")
        injector.odd.say(*(str(sent[name]) for name in ("person", "path", "text")))
        return "", 204

    @routes.route("/requests", methods=["GET", "DELETE"])
    def requests() -> Response:
        """`?after=<seq>` gives only later ones."""
        if request.method == "DELETE":
            injector.forget_requests()
        after = request.args.get("after", 0, type=int)
        return jsonify(requests=[each.as_json() for each in injector.requests if each.seq > after])

    @routes.get("/counters")
    def counters() -> Response:
        return jsonify(injector.counters)

    @routes.route("/switches", methods=["GET", "PUT"])
    def switches() -> Response:
        if request.method == "PUT":
            sent = request.get_json()
            if not isinstance(sent, dict):
                raise BadSwitch("an object of switches is wanted")
            injector.set_switches(sent)
        return jsonify(injector.switches)

    @routes.get("/state")
    def state() -> Response:
        return jsonify(injector.dump())

    @routes.post("/reset")
    def reset() -> tuple[str, int]:
        injector.reset()
        return "", 204

    return routes
