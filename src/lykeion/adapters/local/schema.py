"""The tables of state.db, and how a connection to them is opened."""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from lykeion.errors import Corrupt, Unavailable

VERSION = 1
BUSY_SECONDS = 30.0

TABLES = """
CREATE TABLE resource (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,  -- oldest first
  kind      TEXT NOT NULL,
  name      TEXT NOT NULL,
  version   INTEGER NOT NULL,                   -- resourceVersion, from one counter for all
  phase     TEXT NOT NULL DEFAULT '',
  over      INTEGER NOT NULL DEFAULT 0,         -- nothing will happen to it by itself
  pipeline  TEXT NOT NULL DEFAULT '',           -- spec.pipelineRef of a Training
  started   TEXT NOT NULL DEFAULT '',
  finished  TEXT NOT NULL DEFAULT '',
  metadata  TEXT NOT NULL,
  spec      TEXT NOT NULL,
  status    TEXT NOT NULL,
  UNIQUE (kind, name)
);
CREATE INDEX resource_going ON resource (kind, number) WHERE over = 0;
CREATE INDEX resource_runs ON resource (pipeline, number) WHERE over = 1;
CREATE TABLE counter (value INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
CREATE TABLE event (
  number  INTEGER PRIMARY KEY AUTOINCREMENT,
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  type    TEXT NOT NULL,
  reason  TEXT NOT NULL,
  message TEXT NOT NULL,
  seen    TEXT NOT NULL,
  count   INTEGER NOT NULL,
  UNIQUE (kind, name, type, reason, message)
);
CREATE INDEX event_seen ON event (seen);
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the tables in place. Raises Unavailable where the file cannot be opened, Corrupt where it is no database."""
    if not path.exists():  # one that is open already may not be opened and closed: that would let go of its locks
        with suppress(OSError):  # SQLite says what is wrong
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        write_ahead(database)
        database.execute("PRAGMA synchronous = NORMAL")
        migrate(database, path)
    except sqlite3.OperationalError as wrong:
        raise Unavailable(f"{path}: cannot be opened: {wrong}; is the disk full, or the folder not yours?") from wrong
    except sqlite3.DatabaseError as wrong:
        raise Corrupt(f"{path}: is no database of resources: {wrong}; move it away (outputs and models stay), then start again") from wrong
    return database


def write_ahead(database: sqlite3.Connection) -> None:
    """Turn the log on. While another process does so, SQLite says "locked" at once instead of waiting: we wait ourselves."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as wrong:
            if "locked" not in str(wrong) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def migrate(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables where there are none; of several processes that try, one does."""
    if database.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    database.execute("BEGIN EXCLUSIVE")
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        database.execute("ROLLBACK")
        raise Unavailable(f"{path}: was written by a newer Lykeion (format {found}, this one knows {VERSION}); upgrade Lykeion")
    if found == 0:
        for statement in TABLES.split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")
