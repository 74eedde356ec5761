"""Migrates one ledger: ``python -m steunpunt.ledger.migrate PATH``. Run by the node at its start, in a child process.

Explicitly transactional: with sqlite3's own transaction guessing a kill in the middle of a migration leaves half the
tables, and every later upgrade fails.
"""

import os
import sqlite3
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.pool import NullPool

ARGUMENTS = 2


def migrate(path: Path, revision: str = "head") -> None:
    """Bring the ledger to ``revision``, making it with mode 0660 where it does not exist."""
    if not path.exists():
        path.touch(mode=0o660)
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, isolation_level=None),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql("COMMIT")


def main() -> int:
    """Run from the command line; prints one line and returns 1 on failure."""
    if len(sys.argv) != ARGUMENTS:
        sys.stderr.write("usage: python -m steunpunt.ledger.migrate PATH\n")
        return 2
    try:
        migrate(Path(sys.argv[1]))
    except CommandError as error:
        sys.stderr.write(f"{str(error).splitlines()[0]}: is this ledger from newer software? install that\n")
        return 1
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or str(getattr(error, "orig", None) or error)
        sys.stderr.write(f"{reason.splitlines()[0]}\n")
        return 1
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
