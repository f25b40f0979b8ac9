"""The embedded stack: one Kafka broker and one Postgres server of one data directory."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import msgspec

from deploy.local import account, place
from deploy.local.errors import StackError
from deploy.local.guard import Guard
from deploy.local.kafka import Kafka, KafkaOptions
from deploy.local.postgres import Postgres, PostgresOptions
from deploy.local.progress import Reporter, Silent


class Endpoints(msgspec.Struct, frozen=True):
    """Where clients connect: Kafka's bootstrap address and the address of the database."""

    bootstrap: str
    postgres_dsn: str


class PartStatus(msgspec.Struct, frozen=True):
    """One server: its process if it runs, its ports, its log."""

    name: str
    running: bool
    pid: int | None
    ports: dict[str, int]
    log: str


class Status(msgspec.Struct, frozen=True):
    """What runs for a data directory."""

    running: bool
    data_dir: str
    parts: list[PartStatus]
    endpoints: Endpoints | None


class Stack:
    """Kafka and Postgres on loopback, with all their data below one directory.

    `up()` leaves them running for later commands. `up(attached=True)` ties them to this process: they end
    with it, however it ends.
    """

    def __init__(
        self, data_dir: Path, *, kafka: KafkaOptions | None = None, postgres: PostgresOptions | None = None
    ) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.kafka = Kafka(self.data_dir, kafka)
        self.postgres = Postgres(self.data_dir, postgres)
        self._guard: Guard | None = None
        self._remove_at_end = False

    @classmethod
    def ephemeral(cls, *, heap: str = "512m") -> Self:
        """Make a stack in a new temporary directory, on any free ports; `down()` removes the directory."""
        directory = Path(tempfile.mkdtemp(prefix="tillstream-"))
        stack = cls(
            directory,
            kafka=KafkaOptions(heap=heap, broker_port=0, controller_port=0),
            postgres=PostgresOptions(port=0),
        )
        stack._remove_at_end = True
        return stack

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of the last start."""
        return Endpoints(self.kafka.bootstrap, self.postgres.dsn)

    @property
    def running(self) -> bool:
        """Whether both servers run."""
        return self.kafka.server is not None and self.postgres.server is not None

    def up(self, *, attached: bool = False, progress: Reporter | None = None) -> Endpoints:
        """Start what does not run yet, and return when both servers can be used.

        `attached` ties the servers to this process; an ephemeral stack always is. A stack that runs
        already stays as it is.

        Raises:
            StackError: a server does not come up; the other one is stopped again if this call started it.
        """
        progress = progress or Silent()
        self._make_directory()
        with place.locked(self.data_dir / "lock"):
            if (attached or self._remove_at_end) and self._guard is None and not self.running:
                # Before the servers, so that they end also when we are killed while they start.
                self._guard = Guard.watch(self.data_dir, remove=self._remove_at_end)
            self._start_both(progress)
        return self.endpoints

    def down(self) -> bool:
        """Stop both servers and, of an ephemeral stack, remove the data; False when nothing ran."""
        stopped = False
        if self.data_dir.is_dir():
            with place.locked(self.data_dir / "lock"):
                stopped = self._stop_both()
        if self._guard is not None:
            self._guard.release()
            self._guard = None
        if self._remove_at_end:
            shutil.rmtree(self.data_dir, ignore_errors=True)  # the guard did, if there was one
        return stopped

    def status(self) -> Status:
        """Look at what runs now."""
        parts = []
        for part in (self.kafka, self.postgres):
            server = part.server
            parts.append(
                PartStatus(
                    part.name, server is not None, server.pid if server else None, part.ports, str(part.log)
                )
            )
        running = all(part.running for part in parts)
        return Status(running, str(self.data_dir), parts, self.endpoints if running else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _make_directory(self) -> None:
        try:
            # The database's user must pass through when we are root; the files in it are closed one by one.
            self.data_dir.mkdir(mode=0o711 if account.for_database() else 0o700, parents=True, exist_ok=True)
            if self._remove_at_end and account.for_database():
                self.data_dir.chmod(0o711)
            ignore = self.data_dir / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise StackError(
                f"cannot use the data directory {self.data_dir}: {error}; choose another (--data-dir)"
            ) from error

    def _start_both(self, progress: Reporter) -> None:
        with ThreadPoolExecutor(2, thread_name_prefix="stack") as pool:
            starts = [(part, pool.submit(part.start, progress)) for part in (self.kafka, self.postgres)]
        failures = [failure for _, start in starts if (failure := start.exception()) is not None]
        if not failures:
            return
        for part, start in starts:
            if start.exception() is None and start.result():
                part.stop()
        known = [failure for failure in failures if isinstance(failure, (StackError, OSError))]
        if len(known) < len(failures):
            raise next(failure for failure in failures if failure not in known)
        raise StackError("\n".join(str(failure) for failure in known)) from known[0]

    def _stop_both(self) -> bool:
        running = [part for part in (self.kafka, self.postgres) if part.server is not None]
        with ThreadPoolExecutor(2, thread_name_prefix="stack") as pool:
            for stop in [pool.submit(part.stop) for part in running]:
                stop.result()
        return bool(running)


def read_endpoints(data_dir: Path | None = None) -> Endpoints | None:
    """Return where the stack of a data directory (default: the project's) runs, or None when it does not.

    Of one that runs in part these are the addresses of both parts: who needs the one that is down says so,
    and the other is of use without it.
    """
    directory = data_dir or place.default_data_dir()
    if not (directory / "run").is_dir():
        return None
    stack = Stack(directory)
    return stack.endpoints if stack.kafka.server or stack.postgres.server else None


__all__ = ["Endpoints", "PartStatus", "Stack", "StackError", "Status", "read_endpoints"]
