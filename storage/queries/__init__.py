"""SQL lives in the files beside this one; a line `-- name: verb_noun` begins each query."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def _queries(file: str) -> dict[str, str]:
    text = files(__name__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"storage/queries/{file}.sql names a query twice: {names}")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}


def query(name: str) -> str:
    """Return the SQL of a query named `file.name`; LookupError names those that the file has."""
    file, _, key = name.partition(".")
    queries = _queries(file)
    try:
        return queries[key]
    except KeyError:
        raise LookupError(
            f"storage/queries/{file}.sql has no query {key!r}; it has {sorted(queries)}"
        ) from None
