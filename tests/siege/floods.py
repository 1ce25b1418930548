"""The siege's busy clients, a process of their own: sign-ins with wrong passwords from many addresses, comparisons of
people while the vendors are slow, previews over the API. Told by a JSON object on standard input; prints, as JSON, what
was answered and how late.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from tests.forms import has_form, token_in

TIMEOUT = 40.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Tally:
    """Answers by status, and the slowest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.statuses: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}

    def count(self, status: str, seconds: float) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.slowest[status] = max(self.slowest.get(status, 0.0), round(seconds, 2))

    def told(self) -> dict[str, Any]:
        return {"statuses": dict(sorted(self.statuses.items())), "slowest_seconds": self.slowest}


def ask(
    port: int, method: str, path: str, *, headers: Mapping[str, str], body: str | None = None, source: str = "127.0.0.1"
) -> tuple[int, str, str]:
    """(status, cookies to send back, body) of one request on a connection of its own. Raises OSError, HTTPException."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT, source_address=(source, 0))
    try:
        line.request(method, path, body=body, headers=dict(headers))
        answer = line.getresponse()
        cookies = "; ".join(each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie") or ())
        return answer.status, cookies, answer.read().decode(errors="replace")
    finally:
        line.close()


def timed(tally: Tally, call: Callable[[], int]) -> int:
    began = time.monotonic()
    try:
        status = call()
    except (OSError, http.client.HTTPException) as error:
        tally.count(type(error).__name__, time.monotonic() - began)
        return 0
    tally.count(str(status), time.monotonic() - began)
    return status


def sign_ins(port: int, number: int, tally: Tally, end: float) -> None:
    """One address that tries one login after another, with wrong passwords."""
    source, tries = f"127.0.{1 + number // 200}.{1 + number % 200}", 0
    form: dict[str, str] = {}

    def attempt() -> int:
        if not form:
            _, cookie, page = ask(port, "GET", "/sign-in", headers={}, source=source)
            form.update(token=token_in(page) if has_form(page) else "", cookie=cookie)
        sent = {"csrf_token": form["token"], "login": f"nobody-{number}-{tries}", "password": "not the password"}
        headers = {**FORM, "Cookie": form["cookie"]}
        return ask(port, "POST", "/sign-in", headers=headers, body=urlencode(sent), source=source)[0]

    while time.monotonic() < end:
        tries += 1
        timed(tally, attempt)


def comparisons(port: int, path: str, cookie: str, tally: Tally, end: float) -> None:
    """One tab that compares two people, and again when it was told to come later."""
    while time.monotonic() < end:
        timed(tally, lambda: ask(port, "GET", path, headers={"Cookie": cookie})[0])
        time.sleep(0.5)


def previews(port: int, body: str, key: str, tally: Tally, number: int) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for _ in range(number):
        timed(tally, lambda: ask(port, "POST", "/api/v1/runs", headers=headers, body=body)[0])


def main() -> None:
    told = json.load(sys.stdin)
    port, end = told["port"], time.monotonic() + told["seconds"]
    tallies = {name: Tally() for name in ("sign-ins", "comparisons", "previews")}
    lines = [
        *(threading.Thread(target=sign_ins, args=(port, n, tallies["sign-ins"], end)) for n in range(told["sign_ins"])),
        *(
            threading.Thread(
                target=comparisons, args=(port, told["compare"], told["cookie"], tallies["comparisons"], end)
            )
            for _ in range(told["comparisons"])
        ),
        *(
            threading.Thread(
                target=previews,
                args=(port, told["preview"], told["key"], tallies["previews"], told["previews"] // told["callers"]),
            )
            for _ in range(told["callers"])
        ),
    ]
    for line in lines:
        line.daemon = True
        line.start()
    for line in lines:
        line.join(max(0.1, end + TIMEOUT - time.monotonic()))
    print(json.dumps({name: tally.told() for name, tally in tallies.items()}))


if __name__ == "__main__":
    main()
