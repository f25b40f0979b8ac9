"""Kafka's jars: downloaded by a committed lock into a per-user cache, checked, in parallel."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import certifi

from deploy.local import place
from deploy.local.errors import StackError
from deploy.local.progress import Reporter

LOCK_FILE = Path(__file__).with_name("kafka.lock")

_LINE = re.compile(r"(?P<name>[\w.-]+(?::[\w.-]+){2,3}) (?P<sha256>[0-9a-f]{64}) (?P<size>[1-9][0-9]*)")
_PARALLEL = 8
_ATTEMPTS = 4
_CHUNK = 1 << 16


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
            _download(wanting, directory, reporter)
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


def maven_url() -> str:
    """Return the address of the Maven repository: `TILLSTREAM_MAVEN_URL` for a mirror, else Maven Central.

    Raises:
        StackError: the variable holds something else than an http, https or file address.
    """
    # jgo's package start-up reads much that is of no use here, so only when something must be fetched.
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415

    url = os.environ.get("TILLSTREAM_MAVEN_URL") or str(MAVEN_CENTRAL_URL)
    if urlsplit(url).scheme not in {"http", "https", "file"}:
        raise StackError(f"TILLSTREAM_MAVEN_URL is {url!r}; it must begin with https://, http:// or file://")
    return url.rstrip("/")


def _complete(jar: Jar, directory: Path) -> bool:
    # The digest was checked before the file got its name; the size shows a disk that lost its end since.
    try:
        return jar.cached_in(directory).stat().st_size == jar.size
    except FileNotFoundError:
        return False


def _download(jars: Sequence[Jar], directory: Path, reporter: Reporter) -> None:
    if not jars:
        return
    for leftover in directory.glob("*.part"):  # of a download that was cut off; we hold the lock
        leftover.unlink()
    base = maven_url()
    trust = ssl.create_default_context()
    # Pythons from python.org on macOS come without certificates; elsewhere this only adds known ones.
    trust.load_verify_locations(certifi.where())
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust))
    opener.addheaders = [("User-Agent", "tillstream")]
    # The largest first: with few left at the end, none of them is long.
    queue = sorted(jars, key=lambda jar: -jar.size)
    with (
        reporter.downloading("Kafka", sum(jar.size for jar in jars)) as advance,
        ThreadPoolExecutor(_PARALLEL, thread_name_prefix="jars") as pool,
    ):
        tasks = [pool.submit(_fetch, jar, directory, base, opener, advance) for jar in queue]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(
    jar: Jar,
    directory: Path,
    base: str,
    opener: urllib.request.OpenerDirector,
    advance: Callable[[int], None],
) -> None:
    url = f"{base}/{jar.url_path}"
    partial = directory / f"{jar.cached_in(directory).name}.part"
    for attempt in range(1, _ATTEMPTS + 1):
        received = 0
        digest = hashlib.sha256()
        try:
            with opener.open(url, timeout=60) as response, partial.open("wb") as file:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    received += len(chunk)
                    advance(len(chunk))
            if received < jar.size:
                raise ConnectionError(f"the answer ended after {received} of {jar.size} bytes")
        except (OSError, urllib.error.URLError) as error:
            advance(-received)
            final = isinstance(error, urllib.error.HTTPError) and error.code in {401, 403, 404, 407, 410}
            if final or attempt == _ATTEMPTS:
                raise StackError(
                    f"cannot download {jar.file_name} from {url}: {error}; check the network connection and "
                    "start again (what has come is kept), or set TILLSTREAM_MAVEN_URL to a mirror"
                ) from error
            time.sleep(0.5 * 2**attempt)
            continue
        if digest.hexdigest() != jar.sha256:
            partial.unlink()
            raise StackError(
                f"{jar.file_name} from {url} has sha256 {digest.hexdigest()}, but the lock says "
                f"{jar.sha256}; it was not kept: something between here and the repository changes files, "
                "try another network or mirror (TILLSTREAM_MAVEN_URL)"
            )
        partial.replace(jar.cached_in(directory))
        return
