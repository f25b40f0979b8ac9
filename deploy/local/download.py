"""Downloads jars from a Maven repository: in parallel, each checked before the cache has it."""

from __future__ import annotations

import errno
import hashlib
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from jgo.constants import MAVEN_CENTRAL_URL

from deploy.local.errors import StackError
from deploy.local.jars import Jar
from deploy.local.progress import Reporter

_PARALLEL = 8
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.5
_CHUNK = 1 << 16
_FINAL_ANSWERS = {401, 403, 404, 407, 410}  # another attempt will not change them
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


def maven_url() -> str:
    """Return the address of the Maven repository: `TILLSTREAM_MAVEN_URL` for a mirror, else Maven Central.

    Raises:
        StackError: the variable holds something else than an http, https or file address.
    """
    url = os.environ.get("TILLSTREAM_MAVEN_URL") or str(MAVEN_CENTRAL_URL)
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise StackError("TILLSTREAM_MAVEN_URL has a user name in it; use a mirror that asks for none")
    if parts.scheme not in {"http", "https", "file"}:
        raise StackError(f"TILLSTREAM_MAVEN_URL is {url!r}; it must begin with https://, http:// or file://")
    return url.rstrip("/")


def fetch_all(jars: Sequence[Jar], directory: Path, reporter: Reporter) -> None:
    """Download these jars into the cache directory, whose lock the caller holds.

    Raises:
        StackError: a jar cannot be had, or is not what the lock says; the others that came are kept.
    """
    for leftover in directory.glob("*.part"):  # of a download that was cut off; we hold the lock
        leftover.unlink()
    # The largest first: with few left at the end, none of them is long.
    queue = sorted(jars, key=lambda jar: -jar.size)
    with reporter.downloading("Kafka", sum(jar.size for jar in jars)) as advance:
        download = _Download(directory, advance)
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="jars") as pool:
            tasks = [pool.submit(download.fetch, jar) for jar in queue]
            try:
                for task in tasks:
                    task.result()
            finally:  # also at Ctrl-C: what is under way ends at its next chunk
                download.abandoned.set()
                pool.shutdown(cancel_futures=True)


class _Download:
    """One run over the missing jars; its methods are called from several threads."""

    def __init__(self, directory: Path, advance: Callable[[int], None]) -> None:
        self.abandoned = threading.Event()
        self._directory = directory
        self._advance = advance
        self._base = maven_url()
        trust = ssl.create_default_context()
        # Pythons from python.org on macOS come without certificates; elsewhere this only adds known ones.
        trust.load_verify_locations(certifi.where())
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust))
        self._opener.addheaders = [("User-Agent", "tillstream")]

    def fetch(self, jar: Jar) -> None:
        url = f"{self._base}/{jar.url_path}"
        target = jar.cached_in(self._directory)
        partial = target.with_name(f"{target.name}.part")
        pause = _FIRST_PAUSE_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                digest = self._receive(url, partial, jar.size)
            except (OSError, HTTPException) as error:
                if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
                    raise StackError(f"cannot write {partial}: {error.strerror}") from error
                final = isinstance(error, urllib.error.HTTPError) and error.code in _FINAL_ANSWERS
                if final or attempt == _ATTEMPTS:
                    raise StackError(
                        f"cannot download {jar.file_name} from {url}: {error}; check the network connection "
                        "and start again (what has come is kept), or set TILLSTREAM_MAVEN_URL to a mirror"
                    ) from error
                if self.abandoned.wait(pause):
                    return
                pause *= 2
                continue
            if digest is None:
                return
            if digest != jar.sha256:
                partial.unlink()
                raise StackError(
                    f"{jar.file_name} from {url} has sha256 {digest}, but the lock says {jar.sha256}; it was "
                    "not kept: something between here and the repository changes files, try another network "
                    "or mirror (TILLSTREAM_MAVEN_URL)"
                )
            partial.replace(target)
            return

    def _receive(self, url: str, partial: Path, size: int) -> str | None:
        """Write one answer to a file and return its sha256; None when the run was abandoned."""
        received = 0
        digest = hashlib.sha256()
        try:
            with self._opener.open(url, timeout=60) as response, partial.open("wb") as file:
                while chunk := response.read(_CHUNK):
                    if self.abandoned.is_set():
                        return None
                    file.write(chunk)
                    digest.update(chunk)
                    received += len(chunk)
                    self._advance(len(chunk))
            if received < size:
                raise ConnectionError(f"the answer ended after {received} of {size} bytes")
        except (OSError, HTTPException):
            self._advance(-received)
            raise
        return digest.hexdigest()
