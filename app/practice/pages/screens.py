"""The pages themselves: list, person, forms, import, keys. Everything that differs between the vendors is the desk's.

They stand under the control path: they are no vendor calls, meet no fault, and can be reached from this machine only.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from app.practice.pages.desk import Desk, Imported, Line, Person
from app.practice.pages.files import BadFile, file_of, rows_of
from app.practice.pages.guard import guarded, same_origin
from app.practice.pages.items import CHOICE, WAS, Fault, Item, Section, changed
from app.practice.vendor_kit.companies import NAMES
from app.practice.vendor_kit.fault_injection import CONTROL

ON_A_PAGE = 50
LARGEST_FILE = 5_000_000
FILTERS = {"": "全員", "here": "在籍", "gone": "退職"}
SAID = {
    "saved": "保存しました。",
    "same": "変更はありませんでした。",
    "hired": "登録しました。",
    "left": "退職日を登録しました。",
    "removed": "削除しました。",
}


def people_pages(desk: Desk) -> Blueprint:
    """Everything under /_practice/people, and /_practice/keys."""
    routes = Blueprint("practice_people", __name__, template_folder="templates")

    @routes.before_request
    def only_our_forms() -> None:
        if request.method == "POST" and not same_origin(request.environ):
            abort(403)

    routes.after_request(guarded)

    @routes.errorhandler(403)
    @routes.errorhandler(404)
    @routes.errorhandler(413)
    def refused(error: HTTPException) -> tuple[str, int]:
        return render_template("people/refused.html", code=error.code), error.code or 500

    @routes.context_processor
    def words() -> dict[str, Any]:
        names = request.environ.get(NAMES, {})
        return {"desk": desk, "brand": desk.brand, "to": to, "companies": names, "said": SAID.get(_asked("said"), "")}

    def to(path: str, **query: str) -> str:
        """The address of a page of this company; several behind one address are told apart by `company`."""
        named = {"company": desk.company} if NAMES in request.environ else {}
        given = {name: value for name, value in (named | query).items() if value}
        return f"{CONTROL}{path}" + (f"?{urlencode(given)}" if given else "")

    def at_person(who: str, **query: str) -> str:
        return to(f"people/{quote(who, safe='')}", month=_asked("month"), **query)

    _style(routes)
    _lists(routes, desk)
    _person(routes, desk, at_person)
    _forms(routes, desk, at_person)
    _ends(routes, desk, at_person, to)
    _imports(routes, desk)
    return routes


def _style(routes: Blueprint) -> None:
    @routes.get("/people.css")
    def style() -> Response:
        return Response(routes.open_resource("people.css").read(), mimetype="text/css")


def _lists(routes: Blueprint, desk: Desk) -> None:
    @routes.get("/people")
    def everybody() -> str:
        found = _found(desk.lines(), _asked("q"), _asked("who"))
        pages = max(1, -(-len(found) // ON_A_PAGE))
        page = min(max(request.args.get("page", 1, type=int), 1), pages)
        shown = found[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
        asked = {"q": _asked("q"), "who": _asked("who")}
        return render_template(
            "people/list.html", lines=shown, total=len(found), page=page, pages=pages, asked=asked, filters=FILTERS
        )

    @routes.get("/keys")
    def keys() -> str:
        return render_template("people/keys.html", keys=desk.keys())


def _person(routes: Blueprint, desk: Desk, at_person: Any) -> None:
    @routes.get("/people/<who>")
    def person(who: str) -> str:
        return render_template("people/person.html", person=_known(desk, who), at=at_person)

    @routes.route("/people/<who>/edit", methods=["GET", "POST"])
    def edit(who: str) -> Any:
        found = _known(desk, who)
        if request.method == "GET":
            return _form(found, found.texts, at=at_person)
        typed = changed(request.form, found.sections)
        faults = desk.change(who, typed, found.month) if typed else []
        if faults:
            return _form(found, _as_sent(found), was=_as_was(found), faults=faults, at=at_person)
        return redirect(at_person(who, said="saved" if typed else "same"), code=303)


def _form(
    found: Person,
    shown: Mapping[str, str],
    *,
    at: Any,
    was: Mapping[str, str] | None = None,
    faults: Iterable[Fault] = (),
) -> Any:
    told = list(faults)
    page = render_template(
        "people/edit.html", person=found, sections=found.sections, texts=shown, was=was or shown, faults=told, at=at
    )
    return page, 422 if told else 200


def _forms(routes: Blueprint, desk: Desk, at_person: Any) -> None:
    @routes.route("/people/new", methods=["GET", "POST"])
    def hire() -> Any:
        sections = desk.hiring()
        blank = {item.name: item.text(_first(item)) for section in sections for item in section.items}
        if request.method == "GET":
            return render_template("people/hire.html", sections=sections, texts=blank, faults=[])
        sent = {name: request.form.get(name, "").strip() for name in blank}
        made = desk.hire({name: text for name, text in sent.items() if text})
        if isinstance(made, str):
            return redirect(at_person(made, said="hired"), code=303)
        return render_template("people/hire.html", sections=sections, texts=sent, faults=made), 422


def _first(item: Item) -> str:
    return item.choices[0][0] if item.kind == CHOICE else ""


def _ends(routes: Blueprint, desk: Desk, at_person: Any, to: Any) -> None:
    @routes.route("/people/<who>/leave", methods=["GET", "POST"])
    def leave(who: str) -> Any:
        found = _known(desk, who)
        day = request.form.get("day", "").strip()
        faults = desk.leave(who, day) if request.method == "POST" else []
        if request.method == "POST" and not faults:
            return redirect(at_person(who, said="left"), code=303)
        page = render_template("people/leave.html", person=found, at=at_person, day=day, faults=faults)
        return page, 422 if faults else 200

    @routes.route("/people/<who>/remove", methods=["GET", "POST"])
    def remove(who: str) -> Any:
        found = _known(desk, who)
        if request.method == "POST":
            desk.remove(who)
            return redirect(to("people", said="removed"), code=303)
        return render_template("people/remove.html", person=found, at=at_person)


def _imports(routes: Blueprint, desk: Desk) -> None:
    def answer(done: Imported | None) -> Any:
        page = render_template("people/import.html", done=done, samples=desk.samples(), columns=_items(desk.columns()))
        return page, 422 if done and done.faults else 200

    @routes.get("/people/import")
    def import_page() -> Any:
        return answer(None)

    @routes.post("/people/import")
    def take_file() -> Any:
        if (request.content_length or 0) > LARGEST_FILE:
            abort(413)
        sent = request.files.get("file")
        try:
            done = desk.take_rows(rows_of(sent.read() if sent else b"", _items(desk.columns())))
        except BadFile as bad:
            done = Imported(faults=bad.faults)
        return answer(done)

    @routes.post("/people/import/<name>")
    def take_sample(name: str) -> Any:
        chosen = next((each for each in desk.samples() if each.name == name), None)
        if chosen is None:
            abort(404)
        return answer(desk.take_rows(chosen.rows))

    @routes.get("/people.csv")
    def everybody_as_file() -> Response:
        """Without those whom a file could not tell apart: no number, or one that another person has as well."""
        lines = desk.lines()
        held = Counter(each.number for each in lines)
        people = (desk.person(each.id, "") for each in lines if each.number and held[each.number] == 1)
        content = file_of(_items(desk.columns()), (each.texts for each in people if each))
        return _download(content, f"{desk.brand.look}.csv")

    @routes.get("/people/import/<name>.csv")
    def sample_file(name: str) -> Response:
        chosen = next((each for each in desk.samples() if each.name == name), None)
        if chosen is None:
            abort(404)
        named = {column for row in chosen.rows for column in row}
        items = [each for each in _items(desk.columns()) if each.name in named]
        return _download(file_of(items, chosen.rows), f"{name}.csv")


def _download(content: bytes, name: str) -> Response:
    return Response(content, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _items(sections: Iterable[Section]) -> list[Item]:
    return [item for section in sections for item in section.items]


def _asked(name: str) -> str:
    return request.args.get(name, "").strip()


def _known(desk: Desk, who: str) -> Person:
    found = desk.person(who, _asked("month"))
    if found is None:
        abort(404)
    return found


def _as_sent(found: Person) -> dict[str, str]:
    return {name: request.form.get(name, text).strip() for name, text in found.texts.items()}


def _as_was(found: Person) -> dict[str, str]:
    return {name: request.form.get(f"{WAS}{name}", text) for name, text in found.texts.items()}


def _found(lines: Iterable[Line], asked: str, who: str) -> list[Line]:
    """Those whose number, name or reading holds the words asked for, blanks and widths aside."""
    wanted = {"here": (False,), "gone": (True,)}.get(who, (False, True))
    text = _plain(asked)
    return [
        each
        for each in lines
        if each.is_gone in wanted and any(text in _plain(part) for part in (each.number, each.name, each.kana))
    ]


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
