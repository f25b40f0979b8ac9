"""Rows on local disk, in RocksDB: a cache of this process's run, never read by another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompactionStyle,
    DBCompressionType,
    Env,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

from streams.runtime.errors import DiskError
from streams.runtime.folder import Folder
from streams.runtime.health import TableHealth

CACHE_BYTES = 16 << 20
WRITE_BUFFER_BYTES = 8 << 20
# Over all tables and partitions; what is above it is written out.
WRITE_BUFFERS_BYTES = 32 << 20
ARENA_BYTES = 64 << 10
BLOCK_BYTES = 16 << 10
# Of a hundred look-ups for rows that are not there, one reads the disk; the filters take 1.25 bytes of memory
# a row.
BLOOM_BITS = 10
OPEN_FILES = 512
# Writes wait when flushing is so far behind; the defaults make them wait much earlier.
WRITE_BUFFERS = 6
SLOWDOWN_FILES = 40
STOP_FILES = 60


class Disk:
    """The database of a worker: a column family for each table and partition that needs one.

    It lies in a folder of this process alone, in `common`. It has no write-ahead log and is never reopened:
    the changelogs have everything. After its first error (`failure`) nothing read from it may be trusted to
    be complete, and the worker must end. Raises `OSError` when the folder cannot be made.
    """

    def __init__(self, common: Path, name: str, health: TableHealth) -> None:
        self.failure: DiskError | None = None
        self.health = health
        self._rows: set[DiskRows] = set()
        self._made = 0
        self._block_cache = Cache(CACHE_BYTES)
        self._env = Env()
        self._env.lower_thread_pool_cpu_priority()  # the worker's own thread goes first
        self._writing = WriteOptions()
        self._writing.disable_wal = True  # type: ignore[method-assign,assignment]  # no method, as typed there
        self._folder = Folder(common, name)
        self.path = self._folder.path
        try:
            self._db = Rdict(str(self.path / "rows"), self._options())
        except Exception as error:
            self._folder.remove()
            raise OSError(str(error)) from error

    def rows(self, table: str, partition: int) -> DiskRows:
        """A place for the rows of a table in a partition; empty, also when there was one before."""
        self._made += 1
        name = f"{self._made}-{table}-{partition}"
        try:
            family = self._db.create_column_family(name, self._options())
        except Exception as error:
            raise self.failed("Making a place for", error) from error
        rows = DiskRows(self, name, family)
        self._rows.add(rows)
        return rows

    def drop(self, rows: DiskRows) -> None:
        """Delete rows and their files; nothing is written out first, as closing would."""
        self._rows.discard(rows)
        self._db.drop_column_family(rows.name)

    def batch(self, name: str) -> WriteBatch:
        """An empty write to a column family."""
        batch = WriteBatch(raw_mode=True)
        batch.set_default_column_family(self._db.get_column_family_handle(name))
        return batch

    def write(self, batch: WriteBatch) -> None:
        """Write it; raises what RocksDB says."""
        self._db.write(batch, self._writing)

    def size(self) -> int:
        """Bytes that the files of the rows take now."""
        size = 0
        for file in (self.path / "rows").glob("*"):
            with suppress(FileNotFoundError):  # RocksDB deletes files at any time
                size += file.stat().st_size
        return size

    def failed(self, doing: str, error: Exception) -> DiskError:
        """The error to raise; the first one is kept."""
        failure = DiskError(
            f"{doing} table rows in {self.path} failed: {error}. Nothing is lost: make room there or name"
            " another folder in TILLSTREAM_TABLE_DIR (or keep more rows in memory:"
            " TILLSTREAM_TABLE_MEMORY_MIB), then start the worker again."
        )
        self.failure = self.failure or failure
        return failure

    def delete(self) -> None:
        """Delete everything; it takes a moment. Raises `DiskError` when the database does not close."""
        try:
            for rows in list(self._rows):
                rows.drop()
            self._db.close()
        except Exception as error:
            raise self.failed("Deleting", error) from error
        finally:
            self._folder.remove()

    def _options(self) -> Options:
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._block_cache)
        blocks.set_block_size(BLOCK_BYTES)
        blocks.set_bloom_filter(BLOOM_BITS, block_based=False)
        blocks.set_format_version(5)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_env(self._env)
        options.set_block_based_table_factory(blocks)
        options.set_compression_type(DBCompressionType.lz4())
        # Universal: rows are mostly written once; it rewrites them less often than levels do.
        options.set_compaction_style(DBCompactionStyle.universal())
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES)
        options.set_max_write_buffer_number(WRITE_BUFFERS)
        options.set_arena_block_size(ARENA_BYTES)
        options.set_level_zero_slowdown_writes_trigger(SLOWDOWN_FILES)
        options.set_level_zero_stop_writes_trigger(STOP_FILES)
        options.set_max_open_files(OPEN_FILES)
        options.set_max_background_jobs(2)
        options.set_keep_log_file_num(1)
        options.set_max_log_file_size(1 << 20)
        options.set_stats_dump_period_sec(0)
        return options


class DiskRows:
    """The rows of one table in one partition that left memory."""

    __slots__ = ("_disk", "_family", "_get", "name")

    def __init__(self, disk: Disk, name: str, family: Rdict) -> None:
        self.name = name
        self._disk = disk
        self._family: Rdict | None = family
        self._get: Any = family.get

    def get(self, key: bytes) -> bytes | None:
        """The row at `key`, or None; raises `DiskError`, like all that follow."""
        try:
            row: bytes | None = self._get(key)
        except Exception as error:
            raise self._disk.failed("Reading", error) from error
        if row is not None:
            self._disk.health.read += 1
        return row

    def put(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Write rows, over what is there."""
        try:
            batch = self._disk.batch(self.name)
            for key, row in rows:
                batch.put(key, row)
            self._disk.write(batch)
        except Exception as error:
            raise self._disk.failed("Writing", error) from error

    def remove(self, keys: Iterable[bytes]) -> None:
        """Delete rows; they need not be there."""
        try:
            batch = self._disk.batch(self.name)
            for key in keys:
                batch.delete(key)
            self._disk.write(batch)
        except Exception as error:
            raise self._disk.failed("Deleting", error) from error

    def keys_from(self, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with `prefix`, sorted, as they are at the first step."""
        try:
            for key in self._there().keys(from_key=prefix):
                if not key.startswith(prefix):  # type: ignore[union-attr,arg-type]  # keys are bytes in raw mode
                    return
                yield key  # type: ignore[misc]
        except Exception as error:
            raise self._disk.failed("Reading", error) from error

    def count(self) -> int:
        """About how many rows there are."""
        try:
            return self._there().property_int_value("rocksdb.estimate-num-keys") or 0
        except Exception as error:
            raise self._disk.failed("Counting", error) from error

    def drop(self) -> None:
        """Delete all; there is nothing to ask for after that."""
        self._family, self._get = None, self._there  # files go with the last reference
        try:
            self._disk.drop(self)
        except Exception as error:
            raise self._disk.failed("Deleting", error) from error

    def _there(self, *key: bytes) -> Rdict:
        if self._family is None:
            raise LookupError(f"{self.name} was deleted")
        return self._family
