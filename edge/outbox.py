"""Store and forward: what happened is committed to SQLite before any sink sees it, and kept until all have had it."""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

from edge.errors import ConfigError, DigitdError
from edge.events import Event

log = logging.getLogger(__name__)

SCHEMA = 1
APPLICATION = 0x64676974  # "dgit": this file is ours (sqlite.org/pragma.html#pragma_application_id)
SAID_EVERY = 3600.0  # seconds between two lines about what had to be dropped
LOCK_WAIT = 5.0  # seconds that a daemon on its way out may still hold the file

_TABLES = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    time REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    done INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE latest (
    source TEXT NOT NULL,
    field TEXT NOT NULL,
    id TEXT NOT NULL,
    time REAL NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (source, field)
) WITHOUT ROWID;
"""

_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "may not be written; mend its permissions or the mount",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the folder and its permissions",
    sqlite3.SQLITE_PERM: "may not be opened; mend its permissions",
    sqlite3.SQLITE_BUSY: "is in use by another program; stop it, or set outbox.path to another file",
    sqlite3.SQLITE_IOERR: "the disk fails or is full; check the disk",
}


class OutboxError(DigitdError):
    """The outbox takes nothing just now. Nothing of what was offered is kept; offer it again later."""


class _Damaged(Exception):
    """The file is no database any more, or never was."""


class Outbox:
    """A queue in a file with a cursor for each sink.

    Events are numbered as they come; a sink has had all up to its cursor. What all sinks have had is deleted. What is
    older than `max_days` (by its own time), or what makes the database larger than `max_megabytes` (10^6 bytes; one
    `put` more for the moment), is dropped, oldest first, and counted for each sink that had not had it. Of one process
    alone; any thread may call.

    A damaged file is moved aside to NAME.broken-TIME and a new one begun. Raises OutboxError where there can be none,
    ConfigError where the file is a newer digitd's or another program's.
    """

    def __init__(
        self, path: Path, max_days: float = 30.0, max_megabytes: float = 200.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._max_age = max_days * 86_400
        self._max_bytes = max_megabytes * 1e6
        self._clock = clock
        self._lock = RLock()
        self._said = -SAID_EVERY
        self._unsaid = 0
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._handed = 0  # the highest number that `after` has told
        self._open()
        self._names = set(self.known_sinks)
        with self._transaction() as db:
            self._forget(db)

    def put(self, events: Sequence[Event]) -> None:
        """All of `events` are on the disk when this returns, none of them when it raises OutboxError. An id that is
        still there is passed over, so that what was offered may be offered again.
        """
        with self._transaction() as db:
            for event in events:
                body = json.dumps(event.body)
                row = (event.id, event.kind, event.source, event.time, body)
                new = db.execute(
                    "INSERT INTO events (id, kind, source, time, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    row,
                ).rowcount
                if new and event.kind == "reading" and event.body.get("status") == "ok":
                    db.execute(
                        "INSERT OR REPLACE INTO latest (source, field, id, time, body) VALUES (?, ?, ?, ?, ?)",
                        (event.source, event.body.get("field") or "", event.id, event.time, body),
                    )
            self._forget(db)

    def after(self, sink: str, count: int = 100) -> list[tuple[int, Event]]:
        """The next events that `sink` has not had, with their numbers, in order, `count` at most."""
        with self._lock:
            rows = self._rows(
                "SELECT number, id, kind, source, time, body FROM events "
                "WHERE number > (SELECT done FROM sinks WHERE name = ?) ORDER BY number LIMIT ?",
                (sink, count),
            )
            self._handed = max([self._handed, *(row[0] for row in rows)])
        return [
            (number, Event(id, kind, source, time, json.loads(body))) for number, id, kind, source, time, body in rows
        ]

    def done(self, sink: str, number: int) -> None:
        """`sink` has had all up to `number`."""
        with self._transaction() as db:
            db.execute("UPDATE sinks SET done = max(done, ?) WHERE name = ?", (number, sink))
            self._forget_delivered(db)

    def waiting(self, sink: str) -> int:
        """How many events `sink` has not had."""
        (row,) = self._rows(
            "SELECT count(*) FROM events WHERE number > (SELECT done FROM sinks WHERE name = ?)", (sink,)
        )
        return int(row[0])

    def dropped(self, sink: str) -> int:
        """How many events `sink` will never have had, since it was first known."""
        rows = self._rows("SELECT dropped FROM sinks WHERE name = ?", (sink,))
        return int(rows[0][0]) if rows else 0

    def latest(self, source: str, field: str | None = None) -> Event | None:
        """The last reading with status ok, however long ago."""
        rows = self._rows(
            "SELECT id, time, body FROM latest WHERE source = ? AND field = ?",
            (source, field or ""),
        )
        return Event(rows[0][0], "reading", source, rows[0][1], json.loads(rows[0][2])) if rows else None

    @property
    def known_sinks(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT name FROM sinks ORDER BY name", ())]

    def keep_only(self, names: Iterable[str]) -> None:
        """These are the sinks from now on: others and their cursors are forgotten, and new ones begin with what comes
        next. Without any nothing is kept but `latest`.
        """
        wanted = set(names)
        with self._transaction() as db:
            self._know(db, wanted)
        self._names = wanted

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._disconnect()

    def _know(self, db: sqlite3.Connection, wanted: set[str]) -> None:
        known = {row[0] for row in db.execute("SELECT name FROM sinks")}
        db.executemany("DELETE FROM sinks WHERE name = ?", [(name,) for name in known - wanted])
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        end = row[0] if row else 0
        db.executemany("INSERT INTO sinks (name, done) VALUES (?, ?)", [(name, end) for name in wanted - known])
        self._forget_delivered(db)

    # What is dropped

    def _forget(self, db: sqlite3.Connection) -> None:
        self._forget_delivered(db)
        # From the old end only, so that one event of a wrong clock does not take younger ones with it.
        (young,) = db.execute(
            "SELECT min(number) FROM (SELECT number FROM events WHERE time >= ? ORDER BY number LIMIT 1)",
            (self._clock() - self._max_age,),
        ).fetchone()
        (last,) = db.execute("SELECT max(number) FROM events").fetchone()
        if last is not None:
            self._drop(db, last if young is None else young - 1, "older than max_days")
        while self._bytes(db) > self._max_bytes:
            share = "SELECT number FROM events ORDER BY number LIMIT 1 + (SELECT count(*) FROM events) / 50"
            (oldest,) = db.execute(f"SELECT max(number) FROM ({share})").fetchone()  # noqa: S608
            if oldest is None:
                return
            self._drop(db, oldest, "over max_megabytes")

    @staticmethod
    def _forget_delivered(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM events WHERE number <= coalesce((SELECT min(done) FROM sinks), number)")

    def _drop(self, db: sqlite3.Connection, last: int, why: str) -> None:
        (count,) = db.execute("SELECT count(*) FROM events WHERE number <= ?", (last,)).fetchone()
        if not count:
            return
        db.execute(
            "UPDATE sinks SET dropped = dropped + "
            "(SELECT count(*) FROM events WHERE number <= ? AND number > sinks.done), done = max(done, ?)",
            (last, last),
        )
        db.execute("DELETE FROM events WHERE number <= ?", (last,))
        self._unsaid += count
        if time.monotonic() - self._said >= SAID_EVERY:
            log.warning("%s: %s: %d events were dropped before all sinks had them", self.path, why, self._unsaid)
            self._said = time.monotonic()
            self._unsaid = 0

    @staticmethod
    def _bytes(db: sqlite3.Connection) -> int:
        """Of the pages in use: those that are free are filled again before the file grows."""
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    # The file

    def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        with self._lock, self._explained():
            return self._connected().execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            db = self._connected()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                raise

    def _connected(self) -> sqlite3.Connection:
        if self._closed:
            raise OutboxError(f"{self.path}: the outbox is closed; start digitd again")
        if self._db is None:
            self._begin()
        assert self._db is not None
        return self._db

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise self._error(error) from None
            self._begin_anew(str(error))
            raise OutboxError(f"{self.path}: was damaged and has been begun anew; try again") from None

    def _begin_anew(self, why: str) -> None:
        """While running: the sinks stay known, what they had not had lies in the file that is moved aside."""
        self._disconnect()
        self._move_aside(why)
        self._begin()

    def _begin(self) -> None:
        """A new file, with all its sinks or not at all: without them what comes would be deleted at once. Its numbers
        go on from those that sinks have been told and may yet say are done.
        """
        self._open()
        try:
            with self._transaction() as db:
                db.execute(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT 'events', ? "
                    "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')",
                    (self._handed,),
                )
                self._know(db, self._names)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutboxError(f"{self.path}: its folder cannot be made ({error.strerror}); check outbox.path") from None
        try:
            self._db = self._opened()
        except _Damaged as damage:
            self._move_aside(str(damage))
            try:
                self._db = self._opened()
            except _Damaged as again:
                raise OutboxError(f"{self.path}: cannot be begun anew ({again}); check the disk") from None

    def _opened(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(self.path, timeout=LOCK_WAIT, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA locking_mode = EXCLUSIVE")  # two daemons would deliver everything twice
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA journal_size_limit = 4000000")
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise _Damaged(" ".join(str(verdict).split()))
            self._check_version(db)
            return db
        except BaseException as error:
            if db is not None:
                with suppress(sqlite3.Error):
                    db.close()
            if isinstance(error, sqlite3.Error):
                if _is_damage(error):
                    raise _Damaged(str(error)) from None
                raise self._error(error) from None
            raise

    def _check_version(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables:
            db.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION}; "
                f"PRAGMA user_version = {SCHEMA}; COMMIT;"
            )
        elif application != APPLICATION:
            raise ConfigError(f"{self.path}: is another program's database; set outbox.path to another file")
        elif version > SCHEMA:
            raise ConfigError(
                f"{self.path}: was written by a newer digitd (outbox {version}, this one knows {SCHEMA}); "
                "install that one again, or set outbox.path to another file"
            )

    def _move_aside(self, why: str) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target, copy = self.path.with_name(f"{self.path.name}.broken-{stamp}"), 1
        while target.exists():
            target = self.path.with_name(f"{self.path.name}.broken-{stamp}-{copy}")
            copy += 1
        try:
            self.path.rename(target)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").rename(f"{target}{suffix}")
        except OSError as error:
            raise OutboxError(
                f"{self.path}: is damaged ({why}) and cannot be moved aside ({error.strerror}); remove it"
            ) from None
        log.error("%s: is damaged (%s); moved to %s, begun anew; what was not sent is in there", self.path, why, target)

    def _error(self, error: sqlite3.Error) -> OutboxError:
        reason = _REASONS.get(_code(error), f"{error}; check the disk")
        return OutboxError(f"{self.path}: {reason}")


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary one: sqlite.org/rescode.html


def _is_damage(error: sqlite3.Error) -> bool:
    return _code(error) in _DAMAGED
