"""The command `tillstream`, as its users run it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.system.process import ROOT

PATIENCE_S = 30.0


def ran(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, however it ends."""
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def answer(environment: Mapping[str, str], *arguments: str) -> Any:
    """Run a command with `--json`; return what it prints. AssertionError with its words when it fails."""
    done = ran(environment, *arguments, "--json")
    said = f"tillstream {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}"
    assert done.returncode == 0, said
    return json.loads(done.stdout)
