"""Kafka's jars: a committed lock of them, and a per-user cache."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from deploy.local import place
from deploy.local.errors import StackError
from deploy.local.progress import Reporter

LOCK_FILE = Path(__file__).with_name("kafka.lock")

_LINE = re.compile(r"(?P<name>[\w.-]+(?::[\w.-]+){2,3}) (?P<sha256>[0-9a-f]{64}) (?P<size>[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock: a Maven artifact with its digest and its size in bytes."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        return "-".join(part for part in (self.artifact, self.version, self.classifier) if part) + ".jar"

    @property
    def url_path(self) -> str:
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"

    def cached_in(self, directory: Path) -> Path:
        """Return where the cache holds it: the digest in the name keeps two versions of a lock apart."""
        return directory / f"{self.sha256[:12]}-{self.file_name}"


def parse_lock(text: str, source: str = LOCK_FILE.name) -> list[Jar]:
    """Read a lock: `group:artifact:version[:classifier] sha256 size` a line, `#` begins a comment.

    Raises:
        StackError: a line of another form, or a file name that comes twice; with its number.
    """
    jars: dict[str, Jar] = {}
    for number, written in enumerate(text.splitlines(), start=1):
        line = written.partition("#")[0].strip()
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise StackError(
                f"{source} line {number}: {line!r} is not 'group:artifact:version[:classifier] sha256 size'; "
                "make the lock anew with python -m deploy.local.lock"
            )
        group, artifact, version, *classifier = match["name"].split(":")
        jar = Jar(group, artifact, version, "".join(classifier), match["sha256"], int(match["size"]))
        if jar.file_name in jars:
            raise StackError(
                f"{source} line {number}: {jar.file_name} is there twice; remove one of the lines"
            )
        jars[jar.file_name] = jar
    if not jars:
        raise StackError(f"{source} names no jar; make the lock anew with python -m deploy.local.lock")
    return list(jars.values())


def classpath(reporter: Reporter) -> list[Path]:
    """Return the paths of all jars of the lock, downloading what the cache lacks.

    Raises:
        StackError: a jar cannot be had, or is not what the lock says; what came stays for the next try.
    """
    jars = parse_lock(LOCK_FILE.read_text())
    directory = place.cache_dir() / "jars"
    directory.mkdir(exist_ok=True)
    if wanting := [jar for jar in jars if not _complete(jar, directory)]:
        with place.locked(directory / "lock"):  # a second process waits here, then finds them there
            wanting = [jar for jar in jars if not _complete(jar, directory)]
            if wanting:
                from deploy.local import download  # noqa: PLC0415 - a network client, hardly ever needed

                download.fetch_all(wanting, directory, reporter)
    return [jar.cached_in(directory) for jar in jars]


def discard_damaged() -> list[str]:
    """Check every cached jar against its digest, remove those that differ, and return their names."""
    directory = place.cache_dir() / "jars"
    damaged = []
    for jar in parse_lock(LOCK_FILE.read_text()):
        path = jar.cached_in(directory)
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != jar.sha256:
            path.unlink()
            damaged.append(jar.file_name)
    return damaged


def _complete(jar: Jar, directory: Path) -> bool:
    # The digest was checked before the file got its name; the size shows a disk that lost its end since.
    try:
        return jar.cached_in(directory).stat().st_size == jar.size
    except FileNotFoundError:
        return False
