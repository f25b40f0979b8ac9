"""Fuzz by hand, led by coverage where atheris is installed: `python -m tests.fuzz --inputs 1000000`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

LONGEST = 5_000
"""Bytes of an input; the broker takes ten times as many, but nothing new comes of them."""
STORE = b"store-1"


def main() -> int:
    """Take as many inputs as asked; 0: each was decided or refused, 1: one was not."""
    options = _options()
    if options.engine == "atheris":
        return _led_by_coverage(options)
    return _at_random(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Give the stock worker's agents anything at all as records.",
        epilog="An input that fails is written to a file; --repeat takes it again. Exit code 1: one failed.",
    )
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--topic", help="this inbound topic only")
    parser.add_argument("--repeat", type=Path, help="a file that an earlier run wrote")
    parser.add_argument(
        "--engine",
        choices=("atheris", "random"),
        default="atheris" if find_spec("atheris") else "random",
        help="led by coverage (`pip install atheris`), or mutations of the fixtures at random",
    )
    return parser.parse_args()


def _packed(topic: str, value: bytes) -> bytes:
    """Return an input: the topic's number, then the value."""
    from tests.fuzz.corpus import TOPICS

    return bytes([TOPICS.index(topic)]) + value


def _unpacked(data: bytes) -> tuple[str, bytes]:
    from tests.fuzz.corpus import TOPICS

    return TOPICS[data[0] % len(TOPICS)] if data else TOPICS[0], data[1:]


def _at_random(options: argparse.Namespace) -> int:
    from tests.fuzz.corpus import seeds
    from tests.fuzz.mutation import mutated
    from tests.fuzz.target import FoundError, Target

    logging.disable(logging.CRITICAL)  # a dead letter is logged, and here most are
    target, random = Target(), Random(options.seed)
    begun_with = [seed for seed in seeds() if options.topic in {None, seed[0]}]
    sizes = [1 / len(value) for _, value in begun_with]  # the small ones are soon through, and show as much
    began = time.perf_counter()
    for number in range(1 if options.repeat else options.inputs):
        topic, value = random.choices(begun_with, sizes)[0]
        value = random.randbytes(random.randrange(200)) if number % 50 == 49 else mutated(value, random)
        if options.repeat:
            topic, value = _unpacked(options.repeat.read_bytes())
        try:
            target.take(topic, value)
        except Exception as error:
            file = Path(mkdtemp(prefix="fuzz-")) / "input"
            file.write_bytes(_packed(topic, value))
            print(f"Input {number} failed: python -m tests.fuzz --engine random --repeat {file}")
            if not isinstance(error, FoundError):
                raise
            print(error)
            return 1
        if number % 10_000 == 9_999:
            _say(target, began)
    _say(target, began)
    return 0


def _led_by_coverage(options: argparse.Namespace) -> int:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with atheris.instrument_imports(include=["topics", "streams.domain", "streams.agents"]):
        from tests.fuzz.corpus import HOSTILE_TEXT, TOPICS, seeds, words
        from tests.fuzz.mutation import mutated
        from tests.fuzz.target import Target

    logging.disable(logging.CRITICAL)
    target = Target()
    only = TOPICS.index(options.topic) if options.topic else None
    began = time.perf_counter()

    def take(data: bytes) -> None:
        topic, value = _unpacked(data)
        target.take(topic, value)
        if target.taken % 50_000 == 0:
            _say(target, began)

    def mutate(data: bytes, longest: int, seed: int) -> Any:
        """Change the payload as JSON most of the time, else as bytes."""
        random = Random(seed)
        topic = data[:1] if random.random() < 0.98 else bytes([random.randrange(len(TOPICS))])
        if only is not None:
            topic = bytes([only])
        value = data[1:]
        value = mutated(value, random) if random.random() < 0.8 else atheris.Mutate(value, longest - 1)
        return (topic + value)[:longest]

    folder = Path(mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, (topic, value) in enumerate(seeds()):
        if options.topic in {None, topic}:
            (corpus / f"seed-{number}").write_bytes(_packed(topic, value))
    dictionary = folder / "words"
    texts = [*words(), *(text for text in HOSTILE_TEXT if text.isascii() and text.isprintable() and text)]
    dictionary.write_text("".join(f'"{text}"\n' for text in texts if '"' not in text and len(text) < 60))
    arguments = [
        sys.argv[0],
        f"-runs={options.inputs}",
        f"-seed={options.seed}",
        f"-max_len={LONGEST}",
        f"-dict={dictionary}",
        f"-artifact_prefix={folder}/",
        "-timeout=20",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
        str(corpus),
    ]
    if options.repeat:
        arguments = [sys.argv[0], str(options.repeat)]
    print(f"Inputs that fail, and the corpus, are in {folder}")
    atheris.Setup(arguments, take, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


def _say(target: Any, began: float) -> None:
    took = time.perf_counter() - began
    print(
        f"{target.taken} records in {took:.0f} s ({target.taken / took:.0f} a second): {target.letters}"
        f" refused with a reason, the others decided; the slowest took {target.slowest_s * 1000:.0f} ms",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
