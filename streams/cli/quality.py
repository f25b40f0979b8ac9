"""`tillstream test`: every check and test of a source checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.cli import panels

_ROOT = Path(__file__).resolve().parents[2]

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
)
AT_ONCE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""Of the whole suite, two files (tests/scheduling.py) at once: most tests wait for servers and processes. In
the order of their names: by the number of their tests, the longest files would come last."""

LONG = ("-m", "", "--hypothesis-profile", "new")
"""Also what is marked `long`, and random examples that no run before has had."""


_EPILOG = """
**Examples**

    tillstream test                                       all but what takes long

    tillstream test --only-pytest tests/unit -k ports     some tests, without the checks

    tillstream test --long                                before a release

**Exit codes**  0 all is well; else that of the first step that failed; 2 the command line is wrong
"""


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=panels.TRY,
        epilog=_EPILOG,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(test)


def test(
    context: typer.Context,
    only_pytest: Annotated[
        bool, typer.Option("--only-pytest", help="Leave out formatting, lint and types.")
    ] = False,
    long: Annotated[
        bool,
        typer.Option("--long", help="Leave none out: also repeats with other seeds, and new examples."),
    ] = False,
) -> None:
    """Check formatting, lint and types, then run the tests on a real Kafka and Postgres.

    All other arguments go to pytest. Without any, two files of tests run at a time.
    """
    if not (_ROOT / "tests").is_dir():
        raise typer.BadParameter("tests come with a source checkout only; this is an installed package")
    checks = () if only_pytest else CHECKS
    failed = 0
    for check in (*checks, ("pytest", *(context.args or AT_ONCE), *(LONG if long else ()))):
        print(f"$ {' '.join(check)}", flush=True)
        # The tests come last whatever the checks say, so that the closing line is theirs.
        code = subprocess.run([sys.executable, "-m", *check], cwd=_ROOT, check=False).returncode  # noqa: S603
        if code != 0 and check[0] != "pytest":
            print(f"{check[0]} failed with exit code {code}; the other steps still run", flush=True)
        failed = failed or code
    raise typer.Exit(failed)
