"""Which part may import which: the arrows of the design, over every module there is."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("topics", "streams", "storage", "deploy", "tests")
NO_IO = frozenset(
    {"asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select"}
    | {
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
    }
)
"""Of the standard library: what reaches outside, waits, or answers differently from one time to the next."""


def modules(*packages: str) -> Iterator[tuple[str, Path]]:
    """Yield the name and file of every module below the packages."""
    for package in packages:
        top = ROOT.joinpath(*package.split("."))
        assert (top / "__init__.py").is_file(), f"there is no package {package}"
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name: str, path: Path) -> Iterator[str]:
    """Yield all that a module imports, wherever it does, as dotted names."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = package.rsplit(".", node.level - 1)[0]
                module = f"{base}.{module}" if module else base
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def offences(*packages: str, ours: tuple[str, ...]) -> list[str]:
    """Return which modules of the packages import something of ours that is not in `ours`."""
    return [
        f"{name} imports {imported}"
        for name, path in modules(*packages)
        for imported in imports(name, path)
        if within(imported, *OURS) and not within(imported, *ours)
    ]


@pytest.mark.parametrize(
    ("package", "may_import"),
    [
        ("topics", ("topics",)),
        ("streams.domain", ("topics", "streams.domain")),
        ("storage", ("topics", "storage")),
    ],
)
def test_a_part_imports_of_ours_only_what_it_stands_on(package: str, may_import: tuple[str, ...]) -> None:
    assert offences(package, ours=may_import) == []


def test_the_rules_stand_on_the_standard_library_and_msgspec_alone() -> None:
    foreign = [
        f"{name} imports {imported}"
        for name, path in modules("streams.domain")
        for imported in imports(name, path)
        if not within(imported, "topics", "streams.domain", "msgspec")
        and imported.partition(".")[0] not in sys.stdlib_module_names - NO_IO
    ]
    assert foreign == []


def test_only_the_runtime_touches_faust() -> None:
    touching = [
        f"{name} imports {imported}"
        for name, path in modules("topics", "streams", "storage", "deploy")
        if not within(name, "streams.runtime")
        for imported in imports(name, path)
        if within(imported, "faust", "mode")
    ]
    assert touching == []


def test_the_contracts_know_neither_faust_nor_a_database() -> None:
    known = [
        f"{name} imports {imported}"
        for name, path in modules("topics")
        for imported in imports(name, path)
        if within(imported, "faust", "mode", "asyncpg")
    ]
    assert known == []


def test_what_runs_in_production_needs_no_tests_and_no_local_stack() -> None:
    needing = [
        f"{name} imports {imported}"
        for name, path in modules("topics", "storage", "streams.domain", "streams.runtime", "streams.agents")
        for imported in imports(name, path)
        if within(imported, "tests", "deploy")
    ]
    assert needing == []
