"""Database and UnitOfWork: one transaction per with-block, on SQLite or PostgreSQL.

SQLite: WAL, synchronous=FULL and always BEGIN IMMEDIATE, because a plain BEGIN fails with "database is locked" as soon
as a transaction reads before it writes while others write. Units that only read begin with a plain BEGIN, because they
never take the write lock.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from types import TracebackType
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, func, make_url, select
from sqlalchemy.exc import DisconnectionError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.domain.ports import ClockReading
from app.failpoints import failpoint
from app.logs import DATABASE
from app.storage.access.audit import AuditRepository
from app.storage.access.brakes import BrakeRepository
from app.storage.access.keys_and_users import KeyRepository, UserRepository
from app.storage.access.sightings import SightingRepository
from app.storage.access.sign_ins import InvitationRepository, SessionRepository
from app.storage.automatic.beginnings import BeginningRepository
from app.storage.automatic.deliveries import DeliveryRepository
from app.storage.automatic.sweeps import SweepRepository
from app.storage.automatic.troubles import TroubleRepository
from app.storage.automatic.webhook_registrations import WebhookRegistrationRepository
from app.storage.connections.connection_facts import ConnectionFactsRepository
from app.storage.connections.connection_wizard import WizardRepository
from app.storage.connections.connections import ConnectionRepository
from app.storage.connections.consents import ConsentRepository
from app.storage.connections.deletions import DeletionRepository
from app.storage.connections.token_doors import TokenDoorRepository
from app.storage.keyring import Keys
from app.storage.links.attention import AttentionRepository
from app.storage.links.directory import DirectoryRepository
from app.storage.links.finding import teach_sqlite
from app.storage.links.healing import HealingRepository
from app.storage.links.known_people import KnownPeopleRepository
from app.storage.links.links import LinkRepository
from app.storage.metrics.counters import CounterRepository
from app.storage.metrics.snapshot import MetricsRepository
from app.storage.outgoing.item_turns import ItemTurnRepository
from app.storage.outgoing.mails import MailRepository
from app.storage.outgoing.outbox import OutboxRepository
from app.storage.outgoing.survey_turns import SurveyTurnRepository
from app.storage.repository import Repository, Transaction
from app.storage.runs.changes import ChangeRepository
from app.storage.runs.history import HistoryRepository
from app.storage.runs.idempotency import IdempotencyRepository
from app.storage.runs.items import ItemRepository
from app.storage.runs.person_history import PersonHistoryRepository
from app.storage.runs.preview_selection import PreviewSelectionRepository
from app.storage.runs.runs import RunRepository
from app.storage.runs.second_persons import SecondPersonRepository
from app.storage.runs.standing import StandingRepository
from app.storage.runs.steps import StepRepository
from app.storage.runs.stopped_changes import StoppedChangeRepository
from app.storage.runs.survey_pages import SurveyPageRepository
from app.storage.runs.trials import TrialRepository
from app.storage.upkeep.adoptions import AdoptionRepository
from app.storage.upkeep.bounds import BoundsRepository
from app.storage.upkeep.houses import HouseRepository
from app.storage.upkeep.keyed_digests import KeyedDigestRepository
from app.storage.upkeep.keys_in_use import KeyUseRepository, ProcessRepository
from app.storage.upkeep.leader import LeaderRepository
from app.storage.upkeep.proofs import ProofRepository
from app.storage.upkeep.recovery import RecoveryRepository
from app.storage.upkeep.rotation import RotationRepository
from app.storage.vault import Vault

BUSY_SECONDS = 20.0
"""How long a SQLite writer waits for another before it gives up: several grouped commits of a slow disk. On PostgreSQL
it is how long a transaction waits for the lock of a row."""
_BUSY_PAUSE_SECONDS = 0.01
CONNECT_SECONDS = 10
_AWAY = frozenset({"25006", "25P03"})
"""PostgreSQL's codes for a write in a transaction that may only read, and for a transaction that it ended because its
process was silent for too long."""
SILENT_SECONDS = 45
"""After so long a transaction of a process that does nothing ends: its host may be gone, and its locks would stay. Also
how long a network may take to carry what was sent before the other host counts as gone."""
_SERVER_OPTIONS = (
    f"-c lock_timeout={int(BUSY_SECONDS * 1000)} -c idle_in_transaction_session_timeout={SILENT_SECONDS * 1000}"
)
_LOST_PEER = {
    "keepalives_idle": SILENT_SECONDS // 3,
    "keepalives_interval": SILENT_SECONDS // 9,
    "keepalives_count": 6,
    "tcp_user_timeout": SILENT_SECONDS * 1000,
}
CONNECTIONS = 16
"""Of one process. Its threads wait for vendors most of the time and use none meanwhile; so the processes of one machine
stay below the hundred that PostgreSQL gives by default."""
REST_SECONDS = 1.0
CLOCK_QUESTIONS = 3


R = TypeVar("R", bound=Repository)


class _Lazy(Generic[R]):
    """A repository that is made when it is used first, because a transaction uses two or three of them."""

    def __init__(self, kind: type[R]) -> None:
        self._kind = kind

    def __set_name__(self, _owner: type[UnitOfWork], name: str) -> None:
        self._name = name

    def __get__(self, unit: UnitOfWork, _owner: type[UnitOfWork] | None = None) -> R:
        made = unit.__dict__[self._name] = self._kind(unit._transaction, unit._vault)  # found there from now on
        return made


class UnitOfWork:
    """`with` commits at the end and rolls back on any exception. Repositories live as long as the block. One unit of
    work is one transaction: it is entered once."""

    connections = _Lazy(ConnectionRepository)
    connection_facts = _Lazy(ConnectionFactsRepository)
    runs = _Lazy(RunRepository)
    items = _Lazy(ItemRepository)
    trials = _Lazy(TrialRepository)
    preview_selection = _Lazy(PreviewSelectionRepository)
    history_of_people = _Lazy(PersonHistoryRepository)
    changes = _Lazy(ChangeRepository)
    steps = _Lazy(StepRepository)
    links = _Lazy(LinkRepository)
    outbox = _Lazy(OutboxRepository)
    survey_turns = _Lazy(SurveyTurnRepository)
    item_turns = _Lazy(ItemTurnRepository)
    mails = _Lazy(MailRepository)
    history = _Lazy(HistoryRepository)
    survey_pages = _Lazy(SurveyPageRepository)
    second_persons = _Lazy(SecondPersonRepository)
    stopped_changes = _Lazy(StoppedChangeRepository)
    standing = _Lazy(StandingRepository)
    attention = _Lazy(AttentionRepository)
    healing = _Lazy(HealingRepository)
    directory = _Lazy(DirectoryRepository)
    known_people = _Lazy(KnownPeopleRepository)
    consents = _Lazy(ConsentRepository)
    wizards = _Lazy(WizardRepository)
    deletions = _Lazy(DeletionRepository)
    keys = _Lazy(KeyRepository)
    users = _Lazy(UserRepository)
    sessions = _Lazy(SessionRepository)
    invitations = _Lazy(InvitationRepository)
    audit = _Lazy(AuditRepository)
    brakes = _Lazy(BrakeRepository)
    sightings = _Lazy(SightingRepository)
    idempotency = _Lazy(IdempotencyRepository)
    leader = _Lazy(LeaderRepository)
    bounds = _Lazy(BoundsRepository)
    proofs = _Lazy(ProofRepository)
    recovery = _Lazy(RecoveryRepository)
    metrics = _Lazy(MetricsRepository)
    rotation = _Lazy(RotationRepository)
    deliveries = _Lazy(DeliveryRepository)
    webhook_registrations = _Lazy(WebhookRegistrationRepository)
    troubles = _Lazy(TroubleRepository)
    sweeps = _Lazy(SweepRepository)
    beginnings = _Lazy(BeginningRepository)
    counters = _Lazy(CounterRepository)
    token_doors = _Lazy(TokenDoorRepository)
    key_uses = _Lazy(KeyUseRepository)
    processes = _Lazy(ProcessRepository)
    houses = _Lazy(HouseRepository)
    adoptions = _Lazy(AdoptionRepository)
    keyed_digests = _Lazy(KeyedDigestRepository)

    def __init__(
        self,
        writing: sessionmaker[Session],
        reading: sessionmaker[Session],
        vault: Vault,
        keys: Keys,
        turn: threading.RLock | None = None,
    ) -> None:
        self._sessions = writing
        self._turn = turn
        self._has_turn = False
        self._reading_sessions = reading
        self._vault = vault
        self._keys = keys

    def reading(self) -> UnitOfWork:
        """A unit of work for reading only: takes no write lock and never commits."""
        return UnitOfWork(self._reading_sessions, self._reading_sessions, self._vault, self._keys)

    def __enter__(self) -> UnitOfWork:
        if self._turn is not None:
            self._has_turn = self._turn.acquire(timeout=BUSY_SECONDS)
        try:
            self._transaction = self._begun()
        except BaseException:
            self._give_turn_back()
            raise
        return self

    def _begun(self) -> Transaction:
        """The keys are read in a transaction of their own: reading them here would take the write lock, which a unit of
        work takes with its first statement and not before."""
        self._keys.keep_fresh(self._reading_sessions)
        return Transaction(self._sessions)

    def _give_turn_back(self) -> None:
        if self._turn is not None and self._has_turn:
            self._turn.release()

    def read_keys(self) -> None:
        """Let this process take up now what this transaction has changed about the keys in use."""
        self._keys.read(self._transaction.session)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._sessions is not self._reading_sessions:
                self.audit.write()
                failpoint("before_commit", error=_database_gone)
                self._transaction.commit()
                failpoint("after_commit", error=_database_gone)
            if kind is None:
                DATABASE.works()
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self._transaction.close()  # rolls back what was not committed
        finally:
            self._give_turn_back()  # also when closing fails: else every writer after it waits until its patience ends


def _database_gone() -> OperationalError:
    return OperationalError("failpoint", None, ConnectionError())


class Database:
    """The engine, and what opens transactions on it. `url`: SQLAlchemy's form, sqlite:/// or postgresql+psycopg://.
    `keys`: both rings of the process, of which `vault` has one; None for whoever only reads and writes values."""

    def __init__(self, url: str, vault: Vault, keys: Keys | None = None, *, connections: int = CONNECTIONS) -> None:
        """`connections`: at most so many at a time; the next waits. They are opened when they are needed."""
        self.vault = vault
        self._keys = keys or Keys(vault.ring)
        self.engine = make_engine(url, connections=connections)
        self._turn = threading.RLock() if self.engine.dialect.name == "sqlite" else None
        """The turn to write, on SQLite: threads that wait here go on at once when it is free, while those that wait in
        SQLite look again after ever longer pauses, all of them against each other. Only a courtesy: whoever does not
        get it in time tries all the same."""
        options: dict[str, Any] = {
            "expire_on_commit": False,
            # Conditional UPDATEs change the rows, so a later read must fetch what the database holds.
            "execution_options": {"populate_existing": True, "synchronize_session": False},
        }
        self._writing = sessionmaker(self.engine, **options)
        self._reading = sessionmaker(
            self.engine.execution_options(reading=True, postgresql_readonly=True), autoflush=False, **options
        )

    def unit_of_work(self) -> UnitOfWork:
        return UnitOfWork(self._writing, self._reading, self.vault, self._keys, self._turn)

    @property
    def has_own_clock(self) -> bool:
        """Whether the database may be on another host than ours, so that its clock is not ours."""
        return self.engine.dialect.name != "sqlite"

    def read_clock(self) -> ClockReading | None:
        """What the database's clock shows now; None when it does not answer. Asked a few times, because the first
        question also begins a transaction, and any of them may meet a busy moment: the quickest answer says most."""
        try:
            with self.engine.connect() as connection:
                return min((_clock_of(connection) for _ in range(CLOCK_QUESTIONS)), key=_round_trip)
        except SQLAlchemyError:
            return None

    def dispose(self) -> None:
        self.engine.dispose()


def _clock_of(connection: Connection) -> ClockReading:
    asked = time.monotonic()
    theirs = connection.execute(select(func.clock_timestamp())).scalar_one()
    return ClockReading(theirs, asked, time.monotonic())


def _round_trip(reading: ClockReading) -> float:
    return reading.answered - reading.asked


def make_engine(url: str, *, connections: int = CONNECTIONS) -> Engine:
    """An engine with our rules for transactions. Its errors do not quote parameters, which are values of people;
    PostgreSQL's own texts may still name a key, so Awase never logs the text of a database error."""
    parsed, kept = make_url(url), min(10, connections)
    pool: dict[str, Any] = {"pool_size": kept, "max_overflow": connections - kept, "hide_parameters": True}
    if parsed.get_backend_name() != "sqlite":
        waits = {"connect_timeout": CONNECT_SECONDS, "options": _SERVER_OPTIONS, **_LOST_PEER}
        given = {name: value for name, value in waits.items() if name not in parsed.query}
        engine = _asking_after_a_rest(create_engine(parsed, connect_args=given, **pool))
        event.listen(engine, "handle_error", _counts_as_away, retval=True)
        return engine
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, **pool)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _asking_after_a_rest(engine: Engine) -> Engine:
    """Makes the pool ask a connection whether it still lives (as pool_pre_ping does), except one just used.

    In a storm of webhooks that question was a fourth round trip for every transaction of three.
    """

    @event.listens_for(engine, "checkin")
    def note(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        connection.read_only = None  # SQLAlchemy leaves False after a reading: that would overrule the server's default
        now = time.monotonic()
        if now - record.info.get("used", now) > REST_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error:
                raise DisconnectionError from None  # the pool then opens another

    return engine


def _counts_as_away(context: ExceptionContext) -> Exception | None:
    """Let a database that only reads (a standby after a fail-over, `default_transaction_read_only`) count as away, as a
    read-only SQLite does, and so one that has given us up: the driver tells these as errors of the program."""
    if getattr(context.original_exception, "sqlstate", None) not in _AWAY:
        return None
    return OperationalError(context.statement, None, context.original_exception)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_sqlite` does
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    teach_sqlite(connection)


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Switch a new file to WAL, waiting up to the busy timeout. Raises OperationalError after it.

    SQLite itself does not wait for this switch: when four processes started together on a new database, one in ten was
    refused at once.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_BUSY_PAUSE_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("reading", False):
        connection.connection.cursor().execute("BEGIN")  # takes no lock, so it cannot fail as the other one may
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
