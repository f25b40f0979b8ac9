"""The embedded PostgreSQL 18: the programs of a wheel, on loopback, with a password of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psutil

from deploy.local import account, ports, process, state
from deploy.local.account import Account
from deploy.local.errors import StackError, log_tail
from deploy.local.process import Server
from deploy.local.programs import programs_for
from deploy.local.progress import Reporter, Silent

POSTGRES_PORT = 15432
USER = DATABASE = "tillstream"
_START_TIMEOUT_S = 60.0
_STOP_GRACE_S = 20.0
_ATTEMPTS = 3  # a port can be taken between our look and Postgres'
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """The port to try first, 0 for any."""

    port: int = POSTGRES_PORT


class Postgres:
    """The database server of one data directory."""

    name = "postgres"

    def __init__(self, data_dir: Path, options: PostgresOptions | None = None) -> None:
        self.options = options or PostgresOptions()
        self.data_dir = data_dir
        self.home = data_dir / "postgres"
        self.logs = data_dir / "logs"
        self.log = self.logs / "postgres.log"
        self.password_file = data_dir / "pgpass"
        self._state_file = data_dir / "run" / "postgres.json"

    @property
    def server(self) -> Server | None:
        """The running server, also one that another process started; None when there is none."""
        if (saved := state.load(self._state_file)) is not None:
            server = saved.server("postgres", str(self.home))
            if server.alive:
                return server
        return process.find("postgres", str(self.home))

    @property
    def ports(self) -> dict[str, int]:
        """The port in use, or that the next start tries first."""
        saved = state.load(self._state_file)
        if saved is not None and "postgres" in saved.ports:
            return saved.ports
        # The fourth line of the pid file, which Postgres keeps while it runs and leaves when it is killed.
        pid_file = self.home / "postmaster.pid"
        if pid_file.exists() and len(lines := pid_file.read_text().splitlines()) > 3 and lines[3].isdigit():
            return {"postgres": int(lines[3])}
        return {"postgres": self.options.port}

    @property
    def dsn(self) -> str:
        """The address of the database; its password stays in a file that only its owner can read."""
        port = self.ports["postgres"]
        return f"postgresql://{USER}@{ports.LOOPBACK}:{port}/{DATABASE}?passfile={quote(str(self.password_file))}"

    def start(self, reporter: Reporter | None = None) -> bool:
        """Start the server and wait until it takes queries; False when it was running already.

        Raises:
            StackError: it does not come up; with the end of its log.
        """
        reporter = reporter or Silent()
        if (running := self.server) is not None:
            if _ready(self.ports["postgres"], running, _START_TIMEOUT_S):
                return False
            raise StackError(
                f"Postgres runs (process {running.pid}) but takes no connections on port "
                f"{self.ports['postgres']}; `tillstream down`, then `tillstream up`; its log is {self.log}"
            )
        self.logs.mkdir(parents=True, exist_ok=True)
        user = account.for_database(self.home)
        self._check_reachable(user)
        programs = programs_for(user)
        self._initialise(programs, user, reporter)
        self._clear_leftovers()
        for attempt in range(1, _ATTEMPTS + 1):
            wanted = self.ports["postgres"]
            port = ports.again(wanted) if self._state_file.exists() else ports.choose(wanted)
            server = process.spawn(
                [str(programs / "postgres"), "-D", str(self.home), *_settings(port)],
                mark=str(self.home),
                log=self.log,
                environment=_environment(),
                account=user,
            )
            state.save(self._state_file, state.ServerState(server.pid, server.started, {"postgres": port}))
            if _ready(port, server, _START_TIMEOUT_S):
                return True
            died = not server.alive
            self.kill()
            if not (died and attempt < _ATTEMPTS and not ports.is_free(port)):
                what = "ended while it started" if died else f"was not ready within {_START_TIMEOUT_S:.0f} s"
                raise StackError(f"Postgres {what}; the end of {self.log}:\n{log_tail(self.log)}")
        raise AssertionError("unreachable")  # pragma: no cover

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` ends sessions and writes all out, `immediate` leaves recovery to do."""
        if (server := self.server) is not None:
            process.stop(server, signal=_SIGNALS[mode], grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """End the server and its sessions with SIGKILL."""
        if (server := self.server) is not None:
            process.kill(server)

    def _check_reachable(self, user: Account | None) -> None:
        if user is not None and (barrier := user.barrier(self.data_dir)) is not None:
            raise StackError(
                f"Postgres does not run as root but as the user {user.name}, whom {barrier} shuts out of "
                f"{self.data_dir}; choose another directory (--data-dir /var/lib/tillstream/data), "
                f"or chmod o+x {barrier}"
            )

    def _initialise(self, programs: Path, user: Account | None, reporter: Reporter) -> None:
        if (self.home / "PG_VERSION").is_file():
            if not self.password_file.exists():
                self._set_password(programs, user)
            return
        if self.home.exists():  # cannot come of our own doing: it gets its name only when it is whole
            aside = self.home.with_name(f"postgres.unusable-{int(time.time())}")
            self.home.rename(aside)
            reporter.say(f"{self.home} has no PG_VERSION: moved to {aside}, starting empty")
        partial = self.home.with_name("postgres.new")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        if user is not None:
            os.chown(partial, user.uid, user.gid)
        # One provider of Postgres' own for sorting and case, so that it is the same on every system.
        with tempfile.NamedTemporaryFile("w", dir=self.data_dir, prefix="password-") as secret:
            if user is not None:
                os.fchown(secret.fileno(), user.uid, user.gid)
            secret.write(self._new_password())
            secret.flush()
            self._run(
                [
                    str(programs / "initdb"),
                    *("--pgdata", str(partial), "--username", USER, "--encoding", "UTF8"),
                    *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                    *("--auth", "scram-sha-256", "--no-instructions", "--pwfile", secret.name),
                ],
                user,
            )
        self._single_user(programs, partial, user, f"CREATE DATABASE {DATABASE}", "template1")
        partial.rename(self.home)

    def _new_password(self) -> str:
        password = secrets.token_urlsafe(24)
        line = f"{ports.LOOPBACK}:*:*:{USER}:{password}\n"
        state.write_private(self.password_file, line.encode())
        return password

    def _set_password(self, programs: Path, user: Account | None) -> None:
        # The alphabet of the password has no quote in it.
        self._single_user(
            programs, self.home, user, f"ALTER ROLE {USER} PASSWORD '{self._new_password()}'", DATABASE
        )

    def _single_user(
        self, programs: Path, home: Path, user: Account | None, statement: str, database: str
    ) -> None:
        command = [
            str(programs / "postgres"),
            "--single",
            "-D",
            str(home),
            "-c",
            "exit_on_error=on",
            database,
        ]
        self._run(command, user, statement + "\n")

    def _run(self, command: list[str], user: Account | None, text: str = "") -> None:
        result = subprocess.run(  # noqa: S603 - our own command, no shell
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_environment(),
            **(user.popen_arguments() if user else {}),
        )
        if result.returncode != 0:
            raise StackError(
                f"{Path(command[0]).name} failed for {self.home} with exit code {result.returncode}: "
                f"{result.stderr.strip() or result.stdout.strip()}"
            )

    def _clear_leftovers(self) -> None:
        # Sessions of a killed server hold its shared memory until they notice, and the next start refuses.
        lingering = [
            found
            for found in psutil.process_iter(["name", "cwd"])
            if found.info["name"] == "postgres" and found.info["cwd"] == str(self.home)
        ]
        process.end_all(lingering, grace_s=5.0)
        # The pid in a killed server's pid file may be another process' by now; Postgres would stop there.
        (self.home / "postmaster.pid").unlink(missing_ok=True)


def _settings(port: int) -> list[str]:
    values = {
        "listen_addresses": ports.LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",  # fewer checkpoints in a bulk load
        "checkpoint_timeout": "15min",
        "max_connections": "100",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
        "log_checkpoints": "off",
        # The default connection check of 0 leaves a killed client's query running to its end.
        "client_connection_check_interval": "5s",
    }
    return [argument for name, value in values.items() for argument in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    return process.clean_environment("PG", "LC_", "LANG") | {"LC_ALL": "C"}


def _ready(port: int, server: Server, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and server.alive:
        if _accepts_queries(port):
            return True
        time.sleep(0.02)
    return False


def _accepts_queries(port: int) -> bool:
    # A start-up message as in the protocol's documentation. A server that still recovers answers it with an
    # error; a ready one asks for the password, and a session that ends there leaves no line in the log.
    body = struct.pack("!I", 196608) + f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=2.0) as connection:
            connection.sendall(struct.pack("!I", len(body) + 4) + body)
            return connection.recv(1) == b"R"
    except OSError:
        return False
