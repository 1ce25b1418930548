"""freee's accounts server: authorize, token, revoke, with a clock that a test can turn.

Access tokens live 6 hours, refresh tokens 90 days and work once; a refresh kills the old access token at once. Every
grant is good for one company (prompt=select_company); where there are several, the page of consent asks for which.
freee does not document the field names of revoke: this server takes those of RFC 7009. From 2026-12-15 freee limits the
token endpoint per client (announcement 8711) and publishes no number: here the number is a switch, off at first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, jsonify, redirect, request
from markupsafe import escape

from app.practice.vendor_kit.fault_injection import Switch
from app.practice.vendor_kit.limits import Clock, FixedWindow

ACCESS_SECONDS = 6 * 3600
REFRESH_SECONDS = 90 * 86_400
CODE_SECONDS = 600
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
CHOSEN = "company_id"
"""Names the chosen company in the query of the page of consent. The real page keeps it to itself."""
Reply = Response | tuple[Response, int]

SWITCHES = (
    Switch("interactive", False, note="authorize shows a page asking 許可する instead of consenting at once"),
    Switch("token_limit", 0, range(10_001), note="token requests a minute and client; 0 = no limit"),
    Switch(
        "token_limit_says", "retry_after", ("retry_after", "date", "nothing"), note="what its 429 says about the wait"
    ),
    Switch("refresh_after_expiry", "allowed", ("allowed", "refused"), note="one FAQ: the access token must still live"),
)


@dataclass(frozen=True)
class App:
    """The registered application and the company its tokens are for."""

    client_id: str
    client_secret: str = field(repr=False)
    company_id: int
    company_name: str
    external_cid: str


@dataclass
class Grant:
    """One chain of tokens of one consent. Moments are epoch seconds."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    issued_at: float
    access_until: float
    refresh_until: float
    alive: bool = True


@dataclass(frozen=True)
class Code:
    """An authorization code, good once for ten minutes."""

    redirect_uri: str
    issued_at: float
    challenge: str | None
    method: str


class TokenLimit:
    """Limits how often the client may ask the token endpoint in a fixed minute. The caller holds the lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = FixedWindow(0, 60)

    def refusal(self, limit: int, *, says: str) -> Reply | None:
        """The 429 beyond the limit (0 = no limit), else None.

        `says`: what the 429 says about the wait: "retry_after" in seconds, the same as a "date", or "nothing".
        """
        now = self._clock()
        if self._window.limit != limit:
            self._window = FixedWindow(limit, 60)
        if limit == 0 or self._window.take(now):
            return None
        answer, status = _error(429, "rate_limit_exceeded", "リクエスト数の上限を超えました。")
        seconds = math.ceil(self._window.resets_at(now) - now)
        if says == "retry_after":
            answer.headers["Retry-After"] = str(seconds)
        elif says == "date":
            # By the real clock of the server's Date header, which no test turns.
            moment = datetime.now(UTC) + timedelta(seconds=seconds)
            answer.headers["Retry-After"] = format_datetime(moment, usegmt=True)
        return answer, status


class BadGrant(Exception):
    """401 invalid_grant: only a new authorisation by a person helps."""


class TokenDesk:
    """Codes and tokens. The caller holds the lock."""

    def __init__(self, *, clock: Clock, seal: str) -> None:
        """`seal` is the secret that tells our own tokens from invented ones."""
        self._clock = clock
        self._seal = seal.encode()
        self._codes: dict[str, Code] = {}
        self._grants: dict[str, Grant] = {}  # by access token and by refresh token

    def start_with(self, access: str, refresh: str) -> None:
        """Issue a known pair now."""
        self._keep(access, refresh, issued_at=self._clock())

    def issue_code(self, redirect_uri: str, *, challenge: str | None, method: str) -> str:
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(redirect_uri, self._clock(), challenge, method)
        return code

    def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        """A code for a pair. Raises BadGrant: unknown, used, old, other redirect_uri, wrong PKCE verifier."""
        issued = self._codes.pop(code, None)
        if issued is None or self._clock() >= issued.issued_at + CODE_SECONDS or issued.redirect_uri != redirect_uri:
            raise BadGrant
        if issued.challenge is not None and not _proves(verifier, issued.challenge, method=issued.method):
            raise BadGrant
        return self._issue()

    def refresh(self, token: str, *, late: bool) -> Grant:
        """A new pair; the old pair is dead at once. `late`: also when the access token has expired. Raises BadGrant."""
        grant = self._find(token)
        now = self._clock()
        if grant is None or token != grant.refresh or not grant.alive or now >= grant.refresh_until:
            raise BadGrant
        if not late and now >= grant.access_until:
            raise BadGrant
        grant.alive = False
        return self._issue()

    def revoke(self, token: str) -> None:
        """Either token ends the pair; unknown ones are ignored (RFC 7009)."""
        grant = self._find(token)
        if grant is not None:
            grant.alive = False

    def knows(self, token: str) -> bool:
        """Whether this desk has made the token, access or refresh, alive or dead."""
        return self._find(token) is not None

    def has_issued(self, code: str) -> bool:
        """Whether this code was issued here and not used yet."""
        return code in self._codes

    def accepts(self, access: str) -> bool:
        """Whether this access token works now."""
        grant = self._find(access)
        return grant is not None and access == grant.access and grant.alive and self._clock() < grant.access_until

    def kill_access(self) -> None:
        """Every access token so far has expired; refresh tokens still work."""
        for grant in self._grants.values():
            grant.access_until = self._clock()

    def revoke_all(self) -> None:
        """End all pairs, as if the customer had removed the application."""
        for grant in self._grants.values():
            grant.alive = False

    def dump(self) -> dict[str, int]:
        return {"pairs_issued": len(self._pairs), "pairs_alive": sum(grant.alive for grant in self._pairs)}

    def kept(self) -> dict[str, Any]:
        """Every pair ever issued, dead ones included: a refresh token that was used must stay used."""
        codes = {code: asdict(issued) for code, issued in self._codes.items()}
        return {"grants": [asdict(grant) for grant in self._pairs], "codes": codes}

    def take(self, kept: Mapping[str, Any]) -> None:
        """Take over everything from `kept`. Raises KeyError, TypeError, AttributeError; then this desk is half done."""
        grants = [Grant(**each) for each in kept["grants"]]
        self._grants = {token: grant for grant in grants for token in (grant.access, grant.refresh)}
        self._codes = {code: Code(**issued) for code, issued in kept["codes"].items()}

    @property
    def _pairs(self) -> list[Grant]:
        return list({id(grant): grant for grant in self._grants.values()}.values())

    def _issue(self) -> Grant:
        issued_at = self._clock()
        stem = f"{int(issued_at)}.{secrets.token_urlsafe(16)}"
        return self._keep(*self._sealed(stem), issued_at=issued_at)

    def _keep(self, access: str, refresh: str, *, issued_at: float) -> Grant:
        grant = Grant(access, refresh, issued_at, issued_at + ACCESS_SECONDS, issued_at + REFRESH_SECONDS)
        self._grants[access] = self._grants[refresh] = grant
        return grant

    def _find(self, token: str) -> Grant | None:
        """The grant to which an access or a refresh token belongs, None for an unknown token.

        The desk knows a pair from an earlier life of the practice company by its seal: the service outlives a restart
        of the practice company, and would otherwise need a new consent each time.
        """
        if token in self._grants:
            return self._grants[token]
        stem = token.removeprefix("a.").removeprefix("r.").rpartition(".")[0]
        if token not in self._sealed(stem):
            return None
        return self._keep(*self._sealed(stem), issued_at=float(stem.partition(".")[0]))

    def _sealed(self, stem: str) -> tuple[str, str]:
        """The access and the refresh token of one stem."""
        access, refresh = (hmac.new(self._seal, f"{kind}.{stem}".encode(), "sha256").hexdigest() for kind in "ar")
        return f"a.{stem}.{access}", f"r.{stem}.{refresh}"


def _proves(verifier: str, challenge: str, *, method: str) -> bool:
    """Whether the verifier fits the challenge (PKCE, RFC 7636)."""
    if method == "plain":
        return secrets.compare_digest(verifier.encode(), challenge.encode())
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return secrets.compare_digest(digest, challenge.encode())


def oauth_routes(
    app: App,
    *,
    desk: Callable[[], TokenDesk],
    switch: Callable[[str], Any],
    limit: Callable[[], TokenLimit],
    choices: Callable[[], Mapping[int, str]],
) -> Blueprint:
    """The three routes. `desk` and `limit` give the present ones (a reset makes new ones); `choices`: the companies
    (id → name) among which the person at the page of consent chooses."""
    routes = Blueprint("freee_oauth", __name__, url_prefix="/public_api")

    @routes.get("/authorize")
    def authorize() -> Any:
        asked = request.args
        fault = _authorize_fault(asked, app)
        if fault:
            return _page(f"<p>{escape(fault)}</p>"), 401
        if asked.get("deny"):
            return _back(asked, {"error": "access_denied", "error_description": "連携が許可されませんでした"})
        if len(choices()) > 1 and CHOSEN not in asked:
            return _choice(asked, choices())
        if switch("interactive") and not asked.get("allow"):
            return _consent(asked, app)
        code = desk().issue_code(
            asked["redirect_uri"],
            challenge=asked.get("code_challenge"),
            method=asked.get("code_challenge_method", "plain"),
        )
        if asked["redirect_uri"] == OUT_OF_BAND:
            return _page(f"<p>認可コード</p><code>{escape(code)}</code>")
        return _back(asked, {"code": code})

    @routes.post("/token")
    def token() -> Reply:
        sent = request.form
        refusal = _client_fault(sent, app) or limit().refusal(switch("token_limit"), says=switch("token_limit_says"))
        if refusal is not None:
            return refusal
        try:
            grant = _grant(sent, desk(), late=switch("refresh_after_expiry") == "allowed")
        except BadGrant:
            return _error(401, "invalid_grant", "指定された認可グラントは不正か、有効期限切れか、無効です。")
        if grant is None:
            return _error(400, "unsupported_grant_type", "grant_typeが不正です。")
        return jsonify(_token_answer(grant, app))

    @routes.post("/revoke")
    def revoke() -> Reply:
        refusal = _client_fault(request.form, app)
        if refusal is not None:
            return refusal
        desk().revoke(request.form.get("token", ""))
        return jsonify({})

    return routes


def _grant(sent: Mapping[str, str], desk: TokenDesk, *, late: bool) -> Grant | None:
    """The grant that a token request gets; None for a grant type that is not offered. Raises BadGrant."""
    kind = sent.get("grant_type")
    if kind == "authorization_code":
        verifier = sent.get("code_verifier", "")
        return desk.exchange(sent.get("code", ""), redirect_uri=sent.get("redirect_uri", ""), verifier=verifier)
    if kind == "refresh_token":
        return desk.refresh(sent.get("refresh_token", ""), late=late)
    return None


def _token_answer(grant: Grant, app: App) -> dict[str, Any]:
    return {
        "access_token": grant.access,
        "token_type": "bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": grant.refresh,
        "scope": "read write",
        "created_at": int(grant.issued_at),
        "company_id": str(app.company_id),  # a text here, a number everywhere else
        "external_cid": app.external_cid,
    }


def _client_fault(sent: Mapping[str, str], app: App) -> Reply | None:
    """The refusal of a wrong client. Its id and secret belong in the form: freee documents no other way."""
    known = secrets.compare_digest(sent.get("client_id", "").encode(), app.client_id.encode())
    proven = secrets.compare_digest(sent.get("client_secret", "").encode(), app.client_secret.encode())
    if known and proven:
        return None
    return _error(401, "invalid_client", "クライアント認証に失敗しました。")


def _error(status: int, error: str, description: str) -> tuple[Response, int]:
    return jsonify(error=error, error_description=description), status


def _authorize_fault(asked: Mapping[str, str], app: App) -> str | None:
    """The reason why the browser may not be sent back to redirect_uri, or None."""
    if asked.get("client_id") != app.client_id:
        return "クライアントが見つかりません。"
    if asked.get("response_type") != "code":
        return "response_typeが不正です。"
    target = asked.get("redirect_uri", "")
    if target != OUT_OF_BAND and (urlsplit(target).scheme not in ("http", "https") or not urlsplit(target).netloc):
        return "コールバックURLが不正です。"
    if asked.get("code_challenge_method", "plain") not in ("plain", "S256"):
        return "code_challenge_methodが不正です。"
    return None


def _back(asked: Mapping[str, str], values: Mapping[str, str]) -> Any:
    known = {**values, **({"state": asked["state"]} if "state" in asked else {})}
    joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return redirect(f"{asked['redirect_uri']}{joint}{urlencode(known)}", 302)


def _choice(asked: Mapping[str, str], companies: Mapping[int, str]) -> Response:
    links = "".join(
        f'<p><a href="{escape("/public_api/authorize?" + urlencode({**asked, CHOSEN: company_id}))}">{escape(name)}'
        f"({company_id})</a></p>"
        for company_id, name in companies.items()
    )
    return _page(f"<h1>事業所の選択</h1><p>連携する事業所を選択してください。</p>{links}")


def _consent(asked: Mapping[str, str], app: App) -> Response:
    links = {
        label: escape("/public_api/authorize?" + urlencode({**asked, decision: "1"}))
        for label, decision in (("許可する", "allow"), ("許可しない", "deny"))
    }
    buttons = "".join(f'<p><a href="{target}">{label}</a></p>' for label, target in links.items())
    return _page(f"<h1>アプリ連携の開始</h1><p>{escape(app.company_name)}へのアクセスを許可しますか？</p>{buttons}")


def _page(inner: str) -> Response:
    head = '<!doctype html><html lang="ja"><head><meta charset="utf-8"><title>freee（練習）</title></head>'
    return Response(f"{head}<body>{inner}</body></html>", mimetype="text/html")
