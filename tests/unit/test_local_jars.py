"""The lock of Kafka's jars, and what a download does with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import download, jars
from deploy.local.errors import StackError
from deploy.local.jars import Jar, parse_lock
from deploy.local.progress import Silent

DIGEST = "ab" * 32


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a Maven mirror of our own, in a directory."""
    directory = tmp_path / "mirror"
    directory.mkdir()
    monkeypatch.setenv("TILLSTREAM_MAVEN_URL", directory.as_uri())
    return directory


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    directory = tmp_path / "cache"
    directory.mkdir()
    return directory


def put(mirror: Path, name: str, content: bytes) -> Jar:
    jar = Jar("org.example", name, "1.0", "", hashlib.sha256(content).hexdigest(), len(content))
    path = mirror / jar.url_path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return jar


def test_a_line_of_the_lock_names_an_artifact_its_digest_and_its_size() -> None:
    (jar,) = parse_lock(f"# comment\n\norg.example:thing:1.2 {DIGEST} 42  # why\n")
    assert jar == Jar("org.example", "thing", "1.2", "", DIGEST, 42)
    assert jar.url_path == "org/example/thing/1.2/thing-1.2.jar"


def test_a_classifier_is_part_of_the_file_name() -> None:
    (jar,) = parse_lock(f"org.example:thing:1.2:linux {DIGEST} 42")
    assert jar.url_path == "org/example/thing/1.2/thing-1.2-linux.jar"


@pytest.mark.parametrize(
    "line",
    [
        "org.example:thing:1.2",
        f"org.example:thing {DIGEST} 42",
        f"org.example:thing:1.2 {DIGEST[:-1]} 42",
        f"org.example:thing:1.2 {DIGEST.upper()} 42",
        f"org.example:thing:1.2 {DIGEST} 0",
        f"org.example:thing:1.2 {DIGEST} many",
        f"../../thing:x:1.2 {DIGEST} 42",
    ],
)
def test_a_line_of_another_form_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(StackError, match=r"some\.lock line 2: .*is not 'group:artifact"):
        parse_lock(f"# head\n{line}\n", "some.lock")


def test_one_jar_twice_is_refused() -> None:
    with pytest.raises(StackError, match=r"line 2: thing-1\.2\.jar is there twice"):
        parse_lock(f"org.example:thing:1.2 {DIGEST} 42\norg.other:thing:1.2 {DIGEST} 42\n")


def test_an_empty_lock_is_refused() -> None:
    with pytest.raises(StackError, match="names no jar"):
        parse_lock("# nothing\n")


def test_the_committed_lock_holds_kafka_and_no_address() -> None:
    text = jars.LOCK_FILE.read_text()
    assert "://" not in text
    names = {(jar.artifact, jar.version) for jar in parse_lock(text)}
    assert {("kafka_2.13", "4.3.1"), ("kafka-clients", "4.3.1"), ("log4j-core", "2.25.4")} <= names


def test_downloaded_jars_are_in_the_cache_whole(mirror: Path, cache: Path) -> None:
    wanted = [put(mirror, f"part-{number}", bytes(number) + b"content") for number in range(20)]
    download.fetch_all(wanted, cache, Silent())
    assert {path.name for path in cache.iterdir()} == {jar.cached_in(cache).name for jar in wanted}
    assert all(jar.cached_in(cache).stat().st_size == jar.size for jar in wanted)


def test_a_jar_that_is_not_what_the_lock_says_is_not_kept(mirror: Path, cache: Path) -> None:
    jar = put(mirror, "thing", b"as it was locked")
    (mirror / jar.url_path).write_bytes(b"something else!!")
    with pytest.raises(
        StackError, match=f"thing-1.0.jar from .* has sha256 .* but the lock says {jar.sha256}"
    ):
        download.fetch_all([jar], cache, Silent())
    assert list(cache.iterdir()) == []


def test_a_jar_that_cannot_be_had_is_an_error_with_its_address_and_the_others_are_kept(
    mirror: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_FIRST_PAUSE_S", 0.0)
    good = put(mirror, "good", b"a longer content, so that it comes first")
    missing = Jar("org.example", "missing", "1.0", "", DIGEST, 3)
    with pytest.raises(
        StackError, match=r"cannot download missing-1\.0\.jar from file://.*set TILLSTREAM_MAVEN_URL"
    ):
        download.fetch_all([good, missing], cache, Silent())
    assert good.cached_in(cache).exists()


def test_a_short_answer_is_fetched_again(mirror: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"the whole of it"
    jar = put(mirror, "thing", content)
    served = mirror / jar.url_path
    served.write_bytes(content[:5])
    progress: list[int] = []

    class Mending(Silent):
        """Puts the whole file on the mirror when the loss of the half one is reported."""

        @contextmanager
        def downloading(self, what: str, size: int) -> Iterator[Callable[[int], None]]:
            def advance(count: int) -> None:
                progress.append(count)
                if count < 0:
                    served.write_bytes(content)

            yield advance

    monkeypatch.setattr(download, "_FIRST_PAUSE_S", 0.0)
    download.fetch_all([jar], cache, Mending())
    assert jar.cached_in(cache).read_bytes() == content
    assert progress == [5, -5, len(content)]


def test_what_a_cut_off_download_left_does_not_matter(mirror: Path, cache: Path) -> None:
    jar = put(mirror, "thing", b"content")
    jar.cached_in(cache).with_name(jar.cached_in(cache).name + ".part").write_bytes(b"cont")
    download.fetch_all([jar], cache, Silent())
    assert [path.read_bytes() for path in cache.iterdir()] == [b"content"]


@pytest.mark.parametrize("url", ["ftp://mirror/maven", "mirror", "https://user:secret@mirror/maven"])
def test_a_mirror_of_another_kind_is_refused_without_showing_a_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLSTREAM_MAVEN_URL", url)
    with pytest.raises(StackError, match="TILLSTREAM_MAVEN_URL") as raised:
        download.maven_url()
    assert "secret" not in str(raised.value)


def test_a_jar_that_lost_its_end_on_disk_is_downloaded_again(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = put(mirror, "thing", b"content")
    lock = tmp_path / "some.lock"
    lock.write_text(f"org.example:thing:1.0 {jar.sha256} {jar.size}\n")
    monkeypatch.setattr(jars, "LOCK_FILE", lock)
    monkeypatch.setenv("TILLSTREAM_CACHE_DIR", str(tmp_path / "cache"))
    (path,) = jars.classpath(Silent())
    path.write_bytes(b"cont")
    assert jars.classpath(Silent()) == [path]
    assert path.read_bytes() == b"content"


def test_a_jar_that_changed_on_disk_is_found_by_its_digest(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = put(mirror, "thing", b"content")
    lock = tmp_path / "some.lock"
    lock.write_text(f"org.example:thing:1.0 {jar.sha256} {jar.size}\n")
    monkeypatch.setattr(jars, "LOCK_FILE", lock)
    monkeypatch.setenv("TILLSTREAM_CACHE_DIR", str(tmp_path / "cache"))
    (path,) = jars.classpath(Silent())
    assert jars.discard_damaged() == []
    path.write_bytes(b"CONTENT")
    assert jars.discard_damaged() == ["thing-1.0.jar"]
    assert not path.exists()
