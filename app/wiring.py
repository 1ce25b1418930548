"""build_context(): puts the real clients, database, broker, mail and clock together, for the web and the workers."""

from __future__ import annotations

import threading
from functools import lru_cache

import redis
import requests
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import SQLAlchemyError

from app.adapters.clock import FollowingClock
from app.adapters.freee.client import build_freee_client
from app.adapters.freee.consent import FreeeConsent
from app.adapters.freee.directory_cache import DirectoryCache
from app.adapters.freee.gateway import FreeeGateway
from app.adapters.freee.oauth import FreeeOAuth
from app.adapters.freee.token_session import FreeeSession
from app.adapters.http import VendorSession
from app.adapters.job_queue import RqJobQueue
from app.adapters.limiter import RedisRateLimiter
from app.adapters.mailer import SmtpMailer
from app.adapters.municipalities import municipalities
from app.adapters.people_cache import PeopleCache
from app.adapters.smarthr.client import SmartHRClient, build_smarthr_client
from app.adapters.smarthr.gateway import SmartHRGateway
from app.adapters.smarthr.registry import SmartHRWebhookRegistry
from app.config import Settings, SettingsError
from app.domain.enums import System
from app.domain.ports import Clock, EmployeeGateway, RateLimiter, WebhookRegistry
from app.domain.settings.connection_settings import Connection
from app.domain.vendors.tokens import TokenDoor, TokenStore
from app.logs import configure_logging
from app.safety.files import close_file, keep_private, private_folder
from app.safety.folders import faults_of_folder
from app.safety.high_water import HighWater
from app.safety.identity import Identity, NoIdentity, identity_in
from app.safety.strength import only_warned
from app.storage.keyring import Keys
from app.storage.schema import in_use, sqlite_files
from app.storage.schema import migrate as migrate_database
from app.storage.token_store import DatabaseTokenDoor, DatabaseTokenStore
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from app.use_cases.context import Context
from app.use_cases.household import Household
from app.web.i18n import wording

BROKER_TIMEOUT_SECONDS = 5
SESSIONS_A_THREAD = 8
"""A job uses two, of one connection. With many connections each thread would keep a socket for every one of them."""
INTAKE_CONNECTIONS = 10
"""For one transaction at a time (they are grouped), the senders' secrets, and readiness."""

log = structlog.get_logger(__name__)


def connect_broker(settings: Settings, *, timeout: float = BROKER_TIMEOUT_SECONDS) -> redis.Redis:
    """The broker, with a limit on every wait, so that no process of ours hangs because Redis does."""
    return redis.Redis.from_url(
        settings.redis_url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # each caller decides for itself whether and how long it waits for the broker
    )


class Gateways:
    """Builds a gateway per connection and system. Keeps HTTP sessions per thread, as `requests` does not share well."""

    def __init__(
        self,
        settings: Settings,
        tokens: TokenStore,
        door: TokenDoor,
        limiter: RateLimiter,
        clock: Clock,
        household: Household,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._door = door
        self._limiter = limiter
        self._clock = clock
        self._before_write = household.require
        self._local = threading.local()
        self._freee_directories = DirectoryCache(clock)
        self._people = PeopleCache(clock)

    def __call__(self, connection: Connection, system: System) -> EmployeeGateway:
        if system is System.SMARTHR:
            return SmartHRGateway(self._smarthr(connection), self._people, tenant=connection.smarthr_subdomain)
        client = build_freee_client(
            self._settings,
            connection.id,
            connection.freee_company_id,
            self._tokens,
            self._door,
            self._limiter,
            self._clock,
            self._session(connection.id, system),
            before_write=self._before_write,
            read_before=connection.tokens.freee_tokens() if connection.tokens else None,
        )
        return FreeeGateway(client, connection.freee_company_id, self._freee_directories, self._people)

    def keep_alive(self, connection: Connection) -> bool:
        """Renew the connection's pair of freee's tokens, as `FreeeSession.keep_alive` says."""
        http = self._session(connection.id, System.FREEE)
        oauth = FreeeOAuth(self._settings, self._clock, http, before_write=self._before_write)
        session = FreeeSession(
            oauth,
            self._tokens,
            self._door,
            self._clock,
            connection_id=connection.id,
            company_id=connection.freee_company_id,
        )
        return session.keep_alive()

    def smarthr_of(self, subdomain: str, token: str) -> EmployeeGateway:
        """The gateway of a tenant that is no connection (yet), or of a connection's tenant with a token on trial."""
        return SmartHRGateway(
            build_smarthr_client(
                self._settings,
                subdomain,
                token,
                self._limiter,
                sleep=self._clock.sleep,
                before_write=self._before_write,
            )
        )

    def webhook_registry(self, connection: Connection) -> WebhookRegistry:
        """SmartHR's webhook registry. freee needs none: it has one address per app, which a person enters by hand."""
        return SmartHRWebhookRegistry(self._smarthr(connection))

    def _smarthr(self, connection: Connection) -> SmartHRClient:
        at_hand = connection.tokens
        return build_smarthr_client(
            self._settings,
            connection.smarthr_subdomain,
            at_hand.smarthr_token() if at_hand else self._tokens.smarthr_token(connection.id),
            self._limiter,
            self._session(connection.id, System.SMARTHR),
            sleep=self._clock.sleep,
            before_write=self._before_write,
        )

    def _session(self, connection_id: int, system: System) -> requests.Session:
        """The session of this thread, which keeps those it has used last: each holds a socket open."""
        sessions: dict[tuple[int, System], requests.Session] = self._local.__dict__.setdefault("sessions", {})
        key = (connection_id, system)
        sessions[key] = sessions.pop(key) if key in sessions else VendorSession()
        for oldest in list(sessions)[:-SESSIONS_A_THREAD]:
            sessions.pop(oldest).close()
        return sessions[key]


def admitted() -> Settings:
    """The settings of the environment, with which a process may start. Raises SettingsError.

    The data folder is made where it is missing. Weak secrets are refused. Where an installation stands on them, this
    version only warns, so that nobody is locked out by an upgrade; a database that does not answer may hold one, and
    lets nothing begin anyway.
    """
    settings = Settings.from_env()
    configure_logging(settings.log_level)
    keep_private()
    if unusable := faults_of_folder(settings.data_dir):
        raise SettingsError(unusable)
    weak = settings.weaknesses
    if weak and not (only_warned() and stands(settings)):
        raise SettingsError(weak)
    for fault in weak:
        log.warning("weak_secret", variable=fault.variable, code=fault.code)
    return settings


def stands(settings: Settings) -> bool:
    """Whether an installation stands on these settings; True while the database cannot tell."""
    try:
        return in_use(settings.database_url)
    except SQLAlchemyError:
        return True


def started_context() -> Context:
    """The context of a process that stays, for its main function: refused settings end it with their sentences."""
    try:
        return serving_context()
    except SettingsError as refused:
        raise SystemExit(str(refused)) from None


def command_context() -> Context:
    """The context of a process that ends by itself; as in `started_context`, refused settings end it."""
    try:
        return get_context()
    except SettingsError as refused:
        raise SystemExit(str(refused)) from None


def serving_context() -> Context:
    """The context of a process that stays, with the files of this machine mended. Raises SettingsError."""
    ctx = get_context()
    keep_files_private(ctx.settings)
    return ctx


def keep_files_private(settings: Settings) -> None:
    """The data folder and the database's files are for this user only, also those that an earlier version has made.

    Done by what stays (web, workers) and by a migration. Other commands leave it, so that `flask doctor` sees it.
    """
    keep_private()
    private_folder(settings.data_dir)
    for file in sqlite_files(settings.database_url):
        close_file(file)


def build_context(settings: Settings | None = None) -> Context:
    """All that a use case needs, from the environment unless `settings` are given. Opens no connection yet."""
    settings = settings or admitted()
    keep_private()
    if unusable := faults_of_folder(settings.data_dir):
        raise SettingsError(unusable)
    keys = keys_of(settings)
    vault = Vault(keys.encryption)
    database = Database(settings.database_url, vault, keys)
    of_intake = Database(settings.database_url, vault, keys, connections=INTAKE_CONNECTIONS)
    broker = connect_broker(settings)
    clock = FollowingClock(database.read_clock if database.has_own_clock else None)
    limiter = RedisRateLimiter(
        broker,
        {System.SMARTHR: settings.smarthr_limits, System.FREEE: settings.freee_limits},
        settings.limiter_patience,
    )
    tokens = DatabaseTokenStore(database.unit_of_work, clock)
    door = DatabaseTokenDoor(database.unit_of_work, clock, settings.freee_client_id)
    household = Household(identity_of(settings), database.unit_of_work, clock, HighWater(settings.beats_places))
    gateways = Gateways(settings, tokens, door, limiter, clock, household)
    return Context(
        settings=settings,
        keys=keys,
        clock=clock,
        unit_of_work=database.unit_of_work,
        gateway=gateways,
        smarthr_of=gateways.smarthr_of,
        webhook_registry=gateways.webhook_registry,
        tokens=tokens,
        token_door=door,
        keep_alive=gateways.keep_alive,
        authorisation=FreeeConsent(settings, limiter, door, clock, before_write=household.require),
        limiter=limiter,
        job_queue=RqJobQueue(broker, clock),
        mailer=SmtpMailer(settings.smtp_url, settings.mail_from, before_write=household.require),
        municipalities=municipalities(),
        household=household,
        wording=wording,
        intake_unit_of_work=of_intake.unit_of_work,
        steered_clock=clock,
    )


def identity_of(settings: Settings) -> Identity | None:
    """The identity in whose name this process works. None: its file cannot be used, which the log says and `flask
    doctor` explains; then the process takes what comes in and begins nothing."""
    try:
        return identity_in(settings.house_place, bound=not settings.house_file)
    except NoIdentity as error:
        log.error("no_identity", told=str(error))
        return None


def keys_of(settings: Settings) -> Keys:
    return Keys.of(settings.encryption_keys, (settings.secret_key, *settings.secret_key_previous))


@lru_cache(maxsize=1)
def get_context() -> Context:
    """The context of this process, built at first use."""
    return build_context()


def migrate(settings: Settings | None = None) -> None:
    """Bring the database to the newest schema."""
    settings = settings or admitted()
    keep_files_private(settings)
    migrate_database(settings.database_url)
