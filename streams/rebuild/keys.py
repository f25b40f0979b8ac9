"""Table keys as people read and type them."""

from urllib.parse import quote_from_bytes, unquote_to_bytes

_PLAIN = " !$&'()*+,/:;=@^`{|}~[]<>?#\"\\"


def shown(key: bytes) -> str:
    """Return a key as text: what is not printable ASCII, and `%`, is percent-encoded: `demo%00p-1`."""
    return quote_from_bytes(key, safe=_PLAIN)


def read(text: str) -> bytes:
    """Return the key that `shown` shows so."""
    return unquote_to_bytes(text)
