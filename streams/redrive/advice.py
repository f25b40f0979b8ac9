"""What to do about a dead letter, by its reason."""

from collections.abc import Mapping

_MEND = (
    "Have the sender corrected, and its records sent again; or save this one (`tillstream dlq show ID --save"
    " FILE`), mend it, and give it in its place (`tillstream dlq redrive ID --replace FILE --apply --why …`)."
)
_VERSION = "Where a newer Tillstream reads it, upgrade and redrive."

_ADVICE: Mapping[str, str] = {
    "empty_record": "There is nothing in it: have the sender send the whole document, and discard this"
    " letter.",
    "not_utf8": f"The sender writes another encoding than UTF-8. {_MEND}",
    "not_json": f"The bytes are no JSON document, often one that was cut. {_MEND}",
    "too_deep": "No real document nests so deep: ask the sender what it was, and discard the letter.",
    "wrong_type": f"The named field holds another kind of value than the contract says. {_MEND}",
    "missing_field": f"The named field is needed. {_MEND}",
    "bad_number": f"The named field holds a number that cannot be. {_MEND}",
    "bad_date": f"The named field holds a date that cannot be. {_MEND}",
    "bad_value": f"The named field holds a word that this version does not know. {_VERSION} {_MEND}",
    "too_long": f"The named field is longer than a key may be. {_MEND}",
    "webhook_body": "A notification was published instead of the order: have the gateway fetch the order and"
    " publish that, then discard this letter.",
    "no_key": "The record had no key. Have the publisher set the store id; send this one with `tillstream dlq"
    " redrive ID --store STORE --apply --why …`.",
    "bad_key": "The record's key cannot be a store id. Have the publisher set it; send this one with"
    " `tillstream dlq redrive ID --store STORE --apply --why …`.",
    "wrong_partition": "The publisher's partitioner is not murmur2: correct that (docs/publishing.md). A"
    " redrive puts the record on its key's partition.",
    "event_too_large": "What follows from it does not fit a record of 8 MiB: have the order split.",
    "rule_failed": "A fault of ours: report it with the traceback (`--with-payload` shows it). Redrive when a"
    " version that mends it runs.",
    "not_an_event": "A record of one of our own topics that is no event: another program writes there, or a"
    " newer Tillstream does. Stop it, or upgrade; a replay then writes the history.",
    "not_a_row": "An event of ours that Postgres could not take. Correct the cause that the detail names; a"
    " replay then writes the history.",
}


def advice(reason: str) -> str:
    """Return what to do, in a sentence or two."""
    return _ADVICE.get(
        reason, f"This version does not know the reason {reason}: use the Tillstream that gave it."
    )
