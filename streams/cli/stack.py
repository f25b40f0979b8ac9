"""`tillstream up`, `down`: the embedded Kafka and Postgres."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels

if TYPE_CHECKING:
    from deploy.local.stack import Stack, Status

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="TILLSTREAM_DATA_DIR",
        help="Where the stack keeps its data. [default: .tillstream of the project]",
        show_default=False,
        file_okay=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


_UP = """
**Examples**

    tillstream up                                   in .tillstream, until `tillstream down`

    tillstream up --foreground                      until Ctrl-C; what dies is started again

    tillstream up --ephemeral                       in a temporary directory
"""


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=panels.TRY, epilog=_UP)(up)
    app.command(rich_help_panel=panels.TRY, epilog="**Example**  `tillstream down`")(down)


def up(
    data_dir: DataDir = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, restart what dies, and stop all at Ctrl-C.")
    ] = False,
    ephemeral: Annotated[
        bool,
        typer.Option("--ephemeral", help="Use a temporary directory, removed at the end; stays in front."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Start an embedded Kafka and Postgres, on loopback, and leave them running.

    The first start downloads Kafka (45 MB). Ports are 19092 and 15432, or free ones when those are taken. If
    the stack runs already, this says where.
    """
    from deploy.local.progress import Silent, Terminal
    from deploy.local.stack import Stack
    from deploy.local.supervisor import Supervisor

    if ephemeral and data_dir is not None:
        raise typer.BadParameter("a temporary directory is made for --ephemeral: leave out --data-dir")
    reporter = Silent() if as_json else Terminal()
    stack = Stack.ephemeral() if ephemeral else Stack(_directory(data_dir))
    if stack.running:
        _show(stack.status(), as_json, "running already")
    elif foreground or ephemeral:
        supervisor = Supervisor(stack, reporter)
        with supervisor.running():
            _show(stack.status(), as_json, "up; Ctrl-C stops it")
            supervisor.watch()
            reporter.say("stopping")
    else:
        begun = time.monotonic()
        reporter.say("Starting Kafka and Postgres …")
        stack.up(progress=reporter)
        _show(stack.status(), as_json, f"up in {time.monotonic() - begun:.1f} s; `tillstream down` stops it")


def down(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Stop the embedded stack, whoever started it. Its data stays for the next `tillstream up`."""
    from deploy.local.supervisor import end_supervisor

    stack = _stack(data_dir)
    ended = end_supervisor(stack.data_dir)
    stopped = stack.down() or ended
    _show(stack.status(), as_json, "stopped" if stopped else "nothing was running")


def local_status(data_dir: Path | None) -> Status | None:
    """Look at the embedded stack; None in an installation that has none."""
    try:
        stack = _stack(data_dir)
    except ImportError:
        return None
    return stack.status()


def _stack(data_dir: Path | None) -> Stack:
    from deploy.local.stack import Stack

    return Stack(_directory(data_dir))


def _directory(data_dir: Path | None) -> Path:
    from deploy.local.place import default_data_dir

    return data_dir or default_data_dir()


def _show(status: Status, as_json: bool, summary: str) -> None:
    if as_json:
        import msgspec

        print(msgspec.json.encode(status).decode(), flush=True)
    else:
        describe(status, summary)


def describe(status: Status, summary: str) -> None:
    """Print where the parts of the embedded stack run."""
    rows = [("stack", summary)]
    for part in status.parts:
        where = ", ".join(f"{name} 127.0.0.1:{port}" for name, port in part.ports.items())
        rows.append(
            (part.name, f"process {part.pid}, {where}" if part.running else f"stopped (log: {part.log})")
        )
    if status.endpoints is not None:
        rows += [("bootstrap", status.endpoints.bootstrap), ("database", status.endpoints.postgres_dsn)]
    rows.append(("data", status.data_dir))
    for name, text in rows:
        print(f"{name:<10} {text}", flush=True)
