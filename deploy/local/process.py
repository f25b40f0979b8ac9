"""Server processes: started apart from their starter, known again later, stopped for certain."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.account import Account
from deploy.local.errors import StackError

# Children of this process that have not been collected yet, and how the others ended.
_children: set[int] = set()
_exit_codes: dict[int, int] = {}

_POLL_S = 0.02
_START_TIME_SLACK_S = 2.0  # psutil derives start times from the boot time, which clock corrections move


@dataclass(frozen=True, slots=True)
class Server:
    """A running server by its pid, its start time, and an argument that only it was started with.

    A pid alone is not an identity: the system gives it to another process later, and that one must
    never be signalled.
    """

    pid: int
    started: float
    program: str
    mark: str

    def process(self) -> psutil.Process | None:
        """Return the process if it is still this server and not a zombie."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > _START_TIME_SLACK_S or _is_over(process):
                return None
            # A process that is just ending has no arguments any more, but goes on holding its files.
            if (command := process.cmdline()) and not _matches(command, self.program, self.mark):
                return None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return process

    @property
    def alive(self) -> bool:
        return self.process() is not None

    def exit_code(self) -> int | None:
        """Return how it ended, if it was a child of this process and has ended."""
        return reap(self.pid)


def spawn(
    command: Sequence[str],
    *,
    mark: str,
    log: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
    cwd: Path | None = None,
) -> Server:
    """Start a server in a session of its own, so that it outlives its starter and its terminal.

    `mark` is one of the arguments; output goes to the end of `log`. `account` is the user to run as.
    """
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(  # noqa: S603 - the command is ours, no shell
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd or "/",
                env=dict(environment),
                start_new_session=True,
                **(account.popen_arguments() if account else {}),
            )
        except OSError as error:
            raise StackError(f"cannot start {command[0]}: {error}") from error
    _children.add(child.pid)
    _exit_codes.pop(child.pid, None)
    child.returncode = 0  # it may well outlive us, and `reap` collects it: nothing for Popen to warn of
    try:
        started = psutil.Process(child.pid).create_time()
    except psutil.NoSuchProcess:
        started = time.time()
    return Server(child.pid, started, Path(command[0]).name, mark)


def find(program: str, mark: str) -> Server | None:
    """Look through the machine's processes for a server started with this mark.

    The way back to a server whose record was lost: a deleted or half-written state file.
    """
    for process in psutil.process_iter(["cmdline", "create_time", "status"]):
        info = process.info
        if info["status"] == psutil.STATUS_ZOMBIE or not _matches(info["cmdline"], program, mark):
            continue
        # A backend that Postgres forked shows the same arguments for a moment: the server is the parent.
        try:
            parent = process.parent()
            if parent is not None and _matches(parent.cmdline(), program, mark):
                continue
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass
        return Server(process.pid, info["create_time"], program, mark)
    return None


def stop(server: Server, *, signal: int, grace_s: float) -> None:
    """Signal a server and wait for its end; one that does not end within the grace is killed.

    Raises:
        StackError: it does not even die of SIGKILL.
    """
    process = server.process()
    if process is None:
        return
    try:
        process.send_signal(signal)
    except psutil.NoSuchProcess:
        return
    if not gone(server, grace_s):
        kill(server)


def kill(server: Server) -> None:
    """Kill a server at once, as a crash of the machine's power would, and its children with it."""
    process = server.process()
    if process is None:
        return
    try:
        children = process.children(recursive=True)
        process.kill()
    except psutil.NoSuchProcess:
        children = []
    if not gone(server, 10.0):
        raise StackError(f"process {server.pid} ({server.program}) does not end; end it by hand")
    end_all(children, grace_s=5.0)


def end_all(processes: Iterable[psutil.Process], *, grace_s: float) -> None:
    """Wait until these processes are gone, killing those that outstay the grace."""
    for process in wait_over(processes, grace_s):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
        wait_over([process], 5.0)


def wait_over(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait for the end of these processes, at most so long, and return those that go on.

    A zombie is over. Its parent may never collect it (a container's first process often does not), so
    waiting for the pid itself to vanish can take for ever.
    """
    deadline = time.monotonic() + timeout_s
    left = [process for process in processes if not _is_over(process)]
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = [process for process in left if not _is_over(process)]
    return left


def gone(server: Server, timeout_s: float) -> bool:
    """Wait for a server's end, at most so long; tell whether it ended."""
    process = server.process()
    return process is None or not wait_over([process], timeout_s)


def reap(pid: int) -> int | None:
    """Collect a dead child of this process, if it is one, and return its exit code."""
    if pid in _children:
        try:
            collected, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # somebody collects all children of this process
            _children.discard(pid)
        else:
            if collected:
                _children.discard(pid)
                _exit_codes[pid] = os.waitstatus_to_exitcode(status)
    return _exit_codes.get(pid)


def clean_environment(*prefixes: str) -> dict[str, str]:
    """Return this process's environment without variables that would change how a server behaves."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def _is_over(process: psutil.Process) -> bool:
    reap(process.pid)
    if process.pid in _children:
        return False  # it may look like a zombie already, while the system still closes its files and ports
    try:
        # A zombie with threads left is one whose first thread ended before the others.
        return not process.is_running() or (
            process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        )
    except psutil.NoSuchProcess:
        return True


def _matches(command: Sequence[str] | None, program: str, mark: str) -> bool:
    # None and empty: a process that we may not look into, and a zombie.
    return command is not None and len(command) > 0 and Path(command[0]).name == program and mark in command
