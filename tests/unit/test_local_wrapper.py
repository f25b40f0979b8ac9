"""The wrapper `./tillstream`: it installs once, and then only runs."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

WRAPPER = Path(__file__).resolve().parents[2] / "tillstream"

# Stands in for Python: keeps a diary, makes the environment's programs, and "installs" without a network.
PYTHON = """#!/bin/sh
case "$1 $2" in
    "-c "*) exec {python} "$@" ;;
    "-m venv")
        echo "venv" >>{diary}
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        printf '#!/bin/sh\\necho ran "$@"\\n' >"$3/bin/tillstream"
        chmod +x "$3/bin/tillstream"
        ;;
    "-m pip")
        echo "pip" >>{diary}
        [ ! -e {broken} ]
        ;;
esac
"""


class Checkout:
    """A checkout with nothing in it but the wrapper and what the wrapper reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.diary = path.parent / "diary"
        self.broken = path.parent / "broken"
        self.python = path.parent / "python3"
        self.python.write_text(PYTHON.format(python=sys.executable, diary=self.diary, broken=self.broken))
        self.python.chmod(stat.S_IRWXU)
        path.mkdir()
        shutil.copy(WRAPPER, path / "tillstream")
        (path / "requirements.lock").write_text("thing==1.0\n")
        (path / "pyproject.toml").write_text("")

    def run(self, *arguments: str, python: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.path / "tillstream"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "TILLSTREAM_PYTHON": python or str(self.python)},
        )

    @property
    def installs(self) -> int:
        return self.diary.read_text().split().count("venv") if self.diary.exists() else 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "check out")


def test_the_first_start_installs_and_then_runs_the_command(checkout: Checkout) -> None:
    result = checkout.run("sales", "show", "one two")
    assert result.stdout == "ran sales show one two\n"
    assert "installing into" in result.stderr
    assert checkout.diary.read_text().split() == ["venv", "pip", "pip"]


def test_later_starts_only_run_it(checkout: Checkout) -> None:
    checkout.run()
    checkout.python.unlink()
    result = checkout.run("status")
    assert (result.stdout, result.stderr) == ("ran status\n", "")


def test_two_first_starts_at_once_install_once(checkout: Checkout) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = [start.result() for start in [pool.submit(checkout.run, "status") for _ in range(4)]]
    assert [result.stdout for result in results] == ["ran status\n"] * 4
    assert checkout.installs == 1


def test_a_half_made_environment_is_made_anew(checkout: Checkout) -> None:
    (checkout.path / ".venv" / "bin").mkdir(parents=True)
    (checkout.path / ".venv" / "bin" / "leftover").write_text("")
    assert checkout.run("status").stdout == "ran status\n"
    assert not (checkout.path / ".venv" / "bin" / "leftover").exists()


def test_a_failed_installation_says_so_and_is_tried_again(checkout: Checkout) -> None:
    checkout.broken.touch()
    failed = checkout.run("status")
    assert failed.returncode != 0
    assert failed.stdout == ""
    assert "the dependencies could not be installed" in failed.stderr
    checkout.broken.unlink()
    assert checkout.run("status").stdout == "ran status\n"


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_changed_dependencies_are_installed(checkout: Checkout, changed: str) -> None:
    checkout.run()
    (checkout.path / changed).write_text("thing==2.0\n")
    checkout.run()
    assert checkout.installs == 2


def test_a_moved_checkout_is_installed_anew(checkout: Checkout) -> None:
    checkout.run()
    checkout.path = checkout.path.rename(checkout.path.with_name("moved"))
    assert checkout.run("status").stdout == "ran status\n"
    assert checkout.installs == 2


def test_the_wrapper_works_through_a_link(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run()
    link = tmp_path / "link"
    link.symlink_to(checkout.path / "tillstream")
    result = subprocess.run([str(link), "status"], capture_output=True, text=True, check=True)
    assert result.stdout == "ran status\n"


def test_without_a_new_enough_python_it_says_what_to_do(checkout: Checkout) -> None:
    result = checkout.run("status", python="/bin/false")
    assert result.returncode == 1
    assert "no Python 3.11 or newer found (looked for /bin/false)" in result.stderr
    assert "TILLSTREAM_PYTHON" in result.stderr
