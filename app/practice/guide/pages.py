"""The guide as a small site of its own: one page, and what it asks for again and again while it is open."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.practice.guide.tasks import TASKS
from app.practice.guide.witness import Witness
from app.practice.house.demo import DemoError
from app.practice.pages.guard import guarded, same_origin
from app.practice.vendor_kit.from_here import comes_from_here

HERE = Path(__file__).parent
LANGUAGES = ("ja", "en")


@dataclass(frozen=True)
class Places:
    """Where the parts of the house are, without a slash at the end, and what the links into them name."""

    awase: str
    smarthr: str
    freee: str
    connection: str
    login: str

    @property
    def words(self) -> dict[str, str]:
        """What stands for `{…}` in texts and links."""
        vendors = {"smarthr": f"{self.smarthr}/_practice", "freee": f"{self.freee}/_practice"}
        return {"awase": self.awase, "connection": self.connection, "login": self.login, **vendors}


def create_guide(places: Places, witness: Witness) -> Flask:
    """The site. It answers this machine only, and takes forms of its own page only."""
    app = Flask("practice_guide", root_path=str(HERE), static_folder=None)

    @app.before_request
    def only_from_here() -> None:
        if not comes_from_here(request.environ):
            abort(403)
        if request.method == "POST" and not same_origin(request.environ):
            abort(403)

    app.after_request(guarded)

    @app.get("/")
    def page() -> str:
        language = _language()
        words, seen = texts(language), _look(witness)
        return render_template(
            "guide.html",
            language=language,
            other=next(each for each in LANGUAGES if each != language),
            words=words,
            tasks=[_task(name, words["tasks"][name], places) for name in TASKS],
            done=seen or {},
            is_blind=seen is None,
            places=places,
        )

    @app.get("/done")
    def what_is_done() -> tuple[Response, int]:
        seen = _look(witness)
        return jsonify(done=sorted(seen or {})), 200 if seen is not None else 503

    @app.post("/again")
    def again() -> AnyResponse:
        witness.start_again()
        return redirect(f"/?lang={_language()}", code=303)

    for name, kind in (("guide.css", "text/css"), ("guide.js", "text/javascript")):
        app.add_url_rule(f"/{name}", name.replace(".", "_"), _file(name, kind))
    return app


@cache
def texts(language: str) -> Mapping[str, Any]:
    return tomllib.loads((HERE / "texts" / f"{language}.toml").read_text(encoding="utf-8"))


def _look(witness: Witness) -> dict[str, str] | None:
    """What is done; None while Awase does not answer."""
    try:
        return witness.look()
    except (DemoError, requests.RequestException):
        return None


def _language() -> str:
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _task(name: str, words: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """The words of a task, its links complete."""
    steps = [{**each, "link": each.get("link", "").format(**places.words)} for each in words["steps"]]
    return {**words, "name": name, "steps": steps}


def _file(name: str, kind: str) -> Any:
    return lambda: Response((HERE / name).read_bytes(), mimetype=kind)
