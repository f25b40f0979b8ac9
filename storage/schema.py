"""The schemas' versions: plain SQL files, applied in order, each once."""

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from storage.connection import SCHEMA
from storage.errors import UnknownSchemaError

# Any number will do, as long as every version of the program takes the same one.
_LOCK = 5_047_311_906
LONG_S = 24 * 3_600.0
"""How long one version may take: it may have to write a large table anew."""
_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

_CREATE = """
CREATE SCHEMA {name};
COMMENT ON SCHEMA {name} IS '{about}';
CREATE TABLE {name}.migrations (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE {name}.migrations IS 'The versions of this schema that have been applied.';
COMMENT ON COLUMN {name}.migrations.version IS 'Number of the version, from 1.';
COMMENT ON COLUMN {name}.migrations.name IS 'What it is about.';
COMMENT ON COLUMN {name}.migrations.checksum IS 'SHA-256 of its SQL, in hexadecimal.';
COMMENT ON COLUMN {name}.migrations.applied_at IS 'When it was applied.';
"""


class Schema(msgspec.Struct, frozen=True):
    """A schema in the database, and where its versions are; the name goes into statements as it is."""

    name: str
    folder: str
    """Below `storage`, of the files `0001_….sql`."""
    about: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} cannot be a schema: give lower-case letters, digits and _, a letter first, at"
                " most 63"
            )


HISTORY = Schema(SCHEMA, "migrations", "The sales history.")
"""What the topics say; it can be dropped, and made again from the log."""
OPERATIONS = Schema("tillstream_operations", "operations/migrations", "What operators did, and why.")
"""What only Postgres knows: it stays when the history is made anew."""


class Migration(msgspec.Struct, frozen=True):
    """A version of the schema."""

    version: int
    name: str
    checksum: str
    sql: str


class Applied(msgspec.Struct, frozen=True):
    """A version that a database says it has."""

    version: int
    name: str
    checksum: str


@cache
def migrations(schema: Schema = HISTORY) -> Sequence[Migration]:
    """Return this program's versions of the schema, in order."""
    found: list[Migration] = []
    for file in files("storage").joinpath(schema.folder).iterdir():
        if match := _FILE.fullmatch(file.name):
            sql = file.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), match[2], hashlib.sha256(sql.encode()).hexdigest(), sql))
    found.sort(key=lambda migration: migration.version)
    versions = [migration.version for migration in found]
    if versions != list(range(1, len(found) + 1)):
        raise ValueError(f"storage/{schema.folder} must be numbered 1, 2, 3 … without gaps: {versions}")
    return tuple(found)


async def applied(connection: Any, schema: Schema = HISTORY) -> Sequence[Applied]:
    """Return the versions that the database has, in order; none when it has no such schema."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{schema.name}.migrations") is None:
        return ()
    rows = await connection.fetch(
        f"SELECT version, name, checksum FROM {schema.name}.migrations ORDER BY version"  # noqa: S608  # a checked name
    )
    return tuple(Applied(*row) for row in rows)


async def check(connection: Any, schema: Schema = HISTORY) -> None:
    """Raise UnknownSchemaError unless the database has exactly this program's version of the schema."""
    there = await applied(connection, schema)
    _check_known(there, schema)
    if len(there) < len(migrations(schema)):
        behind = f"version {len(there)}" if there else "nothing yet"
        raise UnknownSchemaError(
            f"The database has {behind} in schema {schema.name}, and this program needs version"
            f" {len(migrations(schema))}: run `tillstream db migrate`"
        )


async def migrate(connection: Any, schema: Schema = HISTORY) -> Sequence[Migration]:
    """Bring the database to this program's version; return what was applied, nothing when it was there.

    Any number may run this at once: one does it and the others wait. Each version is a transaction of its
    own. Raises UnknownSchemaError when the database is newer or has other versions of the same number.
    """
    await connection.execute("SELECT pg_advisory_lock($1::bigint)", _LOCK, timeout=LONG_S)
    try:
        there = await applied(connection, schema)
        _check_known(there, schema)
        missing = migrations(schema)[len(there) :]
        if (
            missing
            and not there
            and await connection.fetchval("SELECT to_regclass($1)", f"{schema.name}.migrations") is None
        ):
            async with connection.transaction():
                await connection.execute(_CREATE.format(name=schema.name, about=schema.about))
        for migration in missing:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL search_path = {schema.name}")
                await connection.execute(migration.sql, timeout=LONG_S)
                await connection.execute(
                    f"INSERT INTO {schema.name}.migrations (version, name, checksum) VALUES ($1, $2, $3)",  # noqa: S608
                    migration.version,
                    migration.name,
                    migration.checksum,
                )
        return missing
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1::bigint)", _LOCK)


async def migrate_all(connection: Any) -> Sequence[tuple[Schema, Migration]]:
    """Bring the history and the operations to this program's versions; return what was applied."""
    return [(one, done) for one in (HISTORY, OPERATIONS) for done in await migrate(connection, one)]


def _check_known(there: Sequence[Applied], schema: Schema) -> None:
    ours = migrations(schema)
    if len(there) > len(ours):
        newest = there[-1]
        raise UnknownSchemaError(
            f"The database has version {newest.version} ({newest.name}), and this program knows only"
            f" {len(ours)}: use the Tillstream that made it, or a newer one"
        )
    for has, known in zip(there, ours, strict=False):
        if (has.version, has.checksum) != (known.version, known.checksum):
            raise UnknownSchemaError(
                f"The database's version {has.version} ({has.name}) is not the one that this program has"
                f" ({known.name}; checksums {has.checksum[:12]}… and {known.checksum[:12]}…): it was made by"
                " another build. Use that build, or rebuild the history in a new database by replay"
            )
