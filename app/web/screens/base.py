"""What every screen needs: who is signed in, what that person may do, how a page is rendered, and what it may load.

One blueprint for all screens. A view asks with `needs(Permission.…)` and answers with `render(…)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    send_from_directory,
    session,
)
from flask import url_for as url
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from app import __version__
from app.config import Settings
from app.domain.access.origin import acting
from app.domain.access.roles import Permission, Role
from app.domain.enums import Direction, System, Trigger
from app.domain.errors import AwaseError, Refused, TemporaryError
from app.domain.runs.dates import today_in_japan
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.runs.words import RunWord, in_words
from app.use_cases.accounts.brakes import TooManyAttempts
from app.use_cases.accounts.proof import is_fresh, prove
from app.use_cases.accounts.refusals import note_refused
from app.use_cases.accounts.sign_in import ABSOLUTE, SignedIn, signed_in_by
from app.use_cases.shared.at_home import check_at_home
from app.web.current import current_context
from app.web.http.browser import browser_here, cookie_name
from app.web.http.kept_forms import PROOF, KeptForm, is_from_our_page, sent_here
from app.web.i18n import DEFAULT, LOCALES, Wording, wording

P = ParamSpec("P")
Page = TypeVar("Page", bound=AnyResponse)

STATIC = Path(__file__).parent.parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'; form-action 'self'"
)

_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_BEGINNING = frozenset({None, Permission.MANAGE_PEOPLE})
"""What a form with these permissions does (the own account, users, keys) begins no work, also while the house rests."""

CONFIRMED = "confirmed"
"""The field of a form whose person has been asked, and has said yes."""

_ASKED_SIGNED_IN: set[str] = set()
"""Endpoints of the views behind `needs`: what was sent to one of them is kept until somebody has signed in."""

screens = Blueprint("screens", __name__)


class Visitor(UserMixin):  # type: ignore[misc]
    """A session as Flask-Login sees it: its id is the session's token, so that ending the row ends the session."""

    def __init__(self, token: str, who: SignedIn) -> None:
        self.id = token
        self.who = who


def attach_screens(app: Flask, settings: Settings, *, without_csrf: tuple[Blueprint, ...]) -> None:
    """Set up sign-in, CSRF and the words of every template. `without_csrf`: blueprints that programs call."""
    app.config.update(
        SESSION_COOKIE_NAME=cookie_name(settings),
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=ABSOLUTE,
        WTF_CSRF_TIME_LIMIT=None,  # a form token lives as long as the session
    )
    protect = CSRFProtect(app)
    for blueprint in without_csrf:
        protect.exempt(blueprint)
    manager = LoginManager(app)
    manager.user_loader(_visitor)
    app.context_processor(_words)
    app.jinja_env.globals.update(
        asset=asset, Permission=Permission, Role=Role, Direction=Direction, System=System, Trigger=Trigger
    )
    app.jinja_env.globals["version"] = __version__
    app.jinja_env.globals.update(RunState=RunState, ItemState=ItemState, here=here, menu=menu, has_view=has_view)
    app.jinja_env.globals.update(RunWord=RunWord, RunKind=RunKind)
    app.jinja_env.filters["in_words"] = in_words
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


# ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def signed_in() -> SignedIn | None:
    """The person who looks at this page; None before the sign-in."""
    return cast("Visitor", current_user).who if current_user.is_authenticated else None


def me() -> SignedIn:
    """The person who looks at this page, for views behind `needs`: there the person is signed in."""
    who = signed_in()
    assert who is not None
    return who


def begin_session(token: str, who: SignedIn) -> None:
    """Sign this browser in from here on; everything of its session before is gone."""
    session.clear()
    session.permanent = True
    session["locale"] = who.locale  # for a page that must do without the database
    g.pop("wording", None)
    login_user(Visitor(token, who))


def my_token() -> str:
    """The token of the session that asks, for views behind `needs`."""
    return cast("Visitor", current_user).id


def session_secret() -> str:
    """What only this session knows, for what has to come back to it; for views behind `needs`."""
    return f"session:{my_token()}"


def end_session() -> str | None:
    """End this browser's session; returns the token of that session, None when there was none."""
    token = cast("str | None", session.get("_user_id"))
    logout_user()
    session.clear()
    return token


def needs(
    permission: Permission | None, *, proof: bool = False, new_password: bool = False
) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Open the view only to signed-in people with this permission (None: to all signed-in people).

    A visitor who is not signed in is sent to the sign-in page, which keeps what a form has sent; a person without the
    permission is told that their role does not allow it. Whoever has to change the password first is sent to the page
    for that, except to views that are part of it (`new_password`). `proof`: the view asks for a proof of a few minutes
    ago (`ask_for_proof`).
    """

    def guard(view: Callable[P, Any]) -> Callable[P, Any]:
        _ASKED_SIGNED_IN.add(f"screens.{view.__name__}")

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            who = signed_in()
            if who is None:
                return _sign_in_first()
            if who.must_change and not new_password:
                return redirect(url("screens.new_password"), code=303)
            if permission is not None and not who.may(permission):
                _note_refusal(permission)
                return refused_page(403, "layout.forbidden_title", wording_here()("layout.forbidden_text"))
            if request.method not in _LOOKING and permission not in _NOT_BEGINNING:
                check_at_home(current_context())
            asked = ask_for_proof() if proof else None
            return view(*args, **kwargs) if asked is None else asked

        return guarded

    return guard


def _sign_in_first() -> AnyResponse:
    """The way to the sign-in page and back. What a form has sent is kept on the sign-in page itself."""
    kept = sent_here() if request.method == "POST" else None
    if kept is not None:
        return sign_in_page(kept=kept, status=401)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url("screens.sign_in", next=wanted), code=303)


def sign_in_page(*, login: str = "", fault: str = "", kept: KeptForm | None = None, status: int = 200) -> Response:
    """`kept`: what waits for the sign-in to be sent again."""
    return render("sign_in.html", status=status, login=login, fault=fault, kept=kept.as_text() if kept else "")


def _note_refusal(permission: Permission) -> None:
    page, told = (request.endpoint or "").removeprefix("screens."), {"permission": permission.value}
    note_refused(current_context(), action="right_refused", subject=f"page:{page}", detail=told)


def ask_for_proof() -> Response | None:
    """None: the person at this browser has given the password a few minutes ago, or gives it with this form. Else the
    page that asks for it: it holds everything this form sends, so that the form goes through with the password."""
    given = request.form.get(PROOF)
    if given is None:
        return None if is_fresh(current_context(), me()) else _proof_page()
    try:
        prove(current_context(), me(), given, token=my_token(), browser=browser_here())
    except Refused as refused:
        return retry_later(_proof_page(told(refused), status=refused.status), refused)
    return None


def _proof_page(fault: str = "", *, status: int = 401) -> Response:
    return render("account/proof.html", status=status, fields=_sent_fields(), fault=fault, proof=PROOF)


def ask_first(what: str, *, back: str, proof: bool = False, **names: Any) -> Response | None:
    """None: the person at this browser has been asked and has said yes. Else the page that asks, once: it says what
    will be gone (`asks.<what>` of the texts, with these names), and its button sends the form again. `back`: the page
    for whoever says no. `proof`: the page also asks for the password, unless the proof is fresh."""
    if request.form.get(CONFIRMED) == "yes":
        return ask_for_proof() if proof else None
    field = PROOF if proof and not is_fresh(current_context(), me()) else ""
    fields = [each for each in _sent_fields() if each[0] != CONFIRMED]
    status = 401 if field else 200
    return render("asking/ask.html", status=status, what=what, names=names, fields=fields, back=back, proof=field)


def _sent_fields() -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.form.items(multi=True) if name not in (PROOF, "csrf_token")]


def _visitor(token: str) -> Visitor | None:
    who = signed_in_by(current_context(), token)
    if who is None:
        return None
    acting(who.actor)
    return Visitor(token, who)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def render(template: str, *, status: int = 200, forms_to: str = "", frames: bool = False, **shown: Any) -> Response:
    """The template `screens/<template>` as a page.

    `forms_to`: a further origin to which the page's form, or a redirect that answers the form, may lead. `frames`: the
    page shows others of Awase within itself.
    """
    answer = make_response(render_template(f"screens/{template}", **shown), status)
    policy = f"{_POLICY} {forms_to}".rstrip()
    answer.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'" if frames else policy
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def refused_page(status: int, title_key: str, text: str, *, remedy: str = "") -> Response:
    return render("refused.html", status=status, title_key=title_key, text=text, remedy=remedy)


def wording_here() -> Wording:
    """The texts in the language of the person who looks at the page."""
    if "wording" not in g:
        who = signed_in()
        chosen = who.locale if who else session.get("locale") or _of_the_browser()
        g.wording = wording(chosen)
    return cast("Wording", g.wording)


def _of_the_browser() -> str:
    """The language that the browser asks for, as long as nobody has chosen one."""
    wanted = (tag.lower().partition("-")[0] for tag, weight in request.accept_languages if weight > 0)
    return next((each for each in wanted if each in LOCALES), DEFAULT)


@cache
def asset(name: str) -> str:
    """The address of a file in static/, which changes with its content, so that browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def here(**changes: Any) -> str:
    """The address of this page with other query arguments; the value None takes an argument away."""
    arguments = {**request.args.to_dict(), **(request.view_args or {}), **changes}
    return url(request.endpoint or "", **{name: value for name, value in arguments.items() if value is not None})


@dataclass(frozen=True)
class MenuEntry:
    text: str
    address: str
    current: bool


_MENU: tuple[tuple[str, str, tuple[str, ...], Permission | None], ...] = (
    ("attention", "screens.attention", ("/attention",), Permission.SEE_RUNS),
    ("home", "screens.home", ("/sync/",), None),
    ("history", "screens.history", ("/runs", "/people"), Permission.SEE_RUNS),
    ("decisions", "screens.decisions", ("/decisions",), Permission.SEE_PEOPLE),
    ("links", "screens.links", ("/links",), Permission.SEE_PEOPLE),
    ("connections", "screens.connections", ("/connections",), Permission.SET_UP),
    ("engine", "screens.engine", ("/engine",), Permission.SEE_ENGINE),
    ("users", "screens.users", ("/users", "/audit", "/keys"), Permission.MANAGE_PEOPLE),
)
"""Text, first page, beginnings of the addresses that belong to the entry, permission (None: all signed-in people)."""


def menu() -> list[MenuEntry]:
    """The entries that the signed-in person finds at the top of every page."""
    who = me()
    return [
        MenuEntry(f"layout.menus.{text}", url(view), current=request.endpoint == view or request.path.startswith(below))
        for text, view, below, permission in _MENU
        if permission is None or who.may(permission)
    ]


def has_view(endpoint: str) -> bool:
    return endpoint in current_app.view_functions


def _words() -> dict[str, Any]:
    words = wording_here()
    who = signed_in() if request else None
    return {
        "t": words,
        "locale": words.locale,
        "locales": LOCALES,
        "who": who,
        "may": who.may if who else lambda _permission: False,
        "today": today_in_japan(current_context().clock.now()),
        "now": current_context().clock.now(),
        "household": current_context().household,
    }


def retry_later(page: Page, error: AwaseError) -> Page:
    """The page with the seconds after which a program may ask again, where the error knows them."""
    if isinstance(error, TemporaryError | TooManyAttempts) and error.retry_after:
        page.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return page


def told(refused: Refused) -> str:
    """Why something was refused, in the language of the page."""
    words = wording_here()
    if isinstance(refused, TooManyAttempts):
        return words.braked(refused.seconds, refused.until)
    return words.refusal(refused)


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────


@screens.errorhandler(Refused)
def _on_refused(error: Refused) -> Response:
    return refused_page(error.status, "layout.refused_title", wording_here().refusal(error))


@screens.errorhandler(AwaseError)
def _on_product_error(error: AwaseError) -> Response:
    words = wording_here()
    page = refused_page(503, "layout.refused_title", words.message(error.code), remedy=words.remedy(error.code))
    return retry_later(page, error)


@screens.app_errorhandler(CSRFError)
def _on_csrf(_error: CSRFError) -> AnyResponse:
    """Answer a form with a wrong token: its session ended while the page was open, or the form is not ours. What a
    page of ours has sent is kept: for the sign-in, or, when somebody has signed in meanwhile, to be looked at."""
    kept = sent_here() if is_from_our_page(current_context().settings.base_url) else None
    if kept is not None and (request.endpoint or "") in _ASKED_SIGNED_IN:
        return resend_page(kept) if signed_in() else sign_in_page(kept=kept, status=401)
    return refused_page(400, "layout.csrf_title", wording_here()("layout.csrf_text"))


def resend_page(kept: KeptForm, *, status: int = 200) -> Response:
    """What a form had sent, for the person to look at and to send again."""
    return render("resend/page.html", status=status, kept=kept)


@screens.get("/static/<path:name>")
def static_file(name: str) -> AnyResponse:
    answer = send_from_directory(STATIC, name)
    known = asset(name).endswith(f"?v={request.args.get('v')}")
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if known else "no-cache"
    return answer
