"""The command `tillstream`, as its users run it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.system.process import ROOT

PATIENCE_S = 30.0


def answer(environment: Mapping[str, str], *arguments: str) -> Any:
    """Run a command with `--json`; return what it prints. AssertionError with its words when it fails."""
    ran = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments, "--json"],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, f"tillstream {' '.join(arguments)}: exit code {ran.returncode}\n{ran.stderr}"
    return json.loads(ran.stdout)
