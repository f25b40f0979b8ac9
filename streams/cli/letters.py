"""How the commands on dead letters are told which letters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.history import point

if TYPE_CHECKING:
    from storage.lookups.dead_letters import Choice, State

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]…", help="Letters, by their ids.", show_default=False)
]
Store = Annotated[str | None, typer.Option("--store", help="Only of this store.", show_default=False)]
Reasons = Annotated[
    list[str] | None,
    typer.Option(
        "--reason",
        help="Only with this reason (bad_number, not_json, …); may be repeated.",
        show_default=False,
    ),
]
Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topic", help="Only from this topic (ecom.orders, …); may be repeated.", show_default=False
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Not refused before: 30m, 24h, 7d, 2026-03-01 or a whole time (UTC).",
        show_default=False,
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="Refused before: 30m, 24h, 7d ago, or a time as above.", show_default=False),
]
All = Annotated[bool, typer.Option("--all", help="All of them, when nothing else is asked for.")]


def choice(
    ids: Sequence[str] | None,
    store: str | None,
    reasons: Sequence[str] | None,
    topics: Sequence[str] | None,
    since: str | None,
    until: str | None,
    states: Sequence[State],
) -> Choice:
    """Return the choice that the options mean; what cannot be one is a usage error."""
    from storage.lookups.dead_letters import Choice

    return Choice(
        ids=tuple(dict.fromkeys(ids or ())),
        store_id=store,
        reasons=_reasons(reasons or ()),
        topics=_topics(topics or ()),
        since=point(since),
        until=point(until, "--until"),
        states=tuple(states),
    )


def chosen(
    ids: Sequence[str] | None,
    store: str | None,
    reasons: Sequence[str] | None,
    topics: Sequence[str] | None,
    since: str | None,
    until: str | None,
    states: Sequence[State],
    *,
    everything: bool,
) -> Choice:
    """Return the choice of a command that changes something: letters that are named, or in these states.

    To ask for nothing is a usage error: all letters must be meant.
    """
    if not (ids or store or reasons or topics or since or until or everything):
        raise typer.BadParameter(
            "say which letters: ids, --reason, --topic, --store, --since, --until; or --all of them"
        )
    return choice(ids, store, reasons, topics, since, until, () if ids else states)


def scope(choice: Choice) -> dict[str, Any]:
    """Return the choice as the audit keeps it."""
    found: dict[str, Any] = {
        "ids": list(choice.ids),
        "store": choice.store_id,
        "reasons": list(choice.reasons),
        "topics": list(choice.topics),
        "since": choice.since,
        "until": choice.until,
    }
    return {name: value for name, value in found.items() if value} or {"all": True}


def states(given: Sequence[str] | None) -> tuple[State, ...]:
    """Return the states that `--state` means."""
    from storage.lookups.dead_letters import STATES

    known: dict[str, State] = {state: state for state in STATES}
    found = []
    for text in given or ():
        state = known.get(text.strip().lower().replace(" ", "_").replace("-", "_"))
        if state is None:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(STATES)}", param_hint="--state")
        found.append(state)
    return tuple(found)


def _reasons(given: Sequence[str]) -> tuple[str, ...]:
    from storage.rows.dead_letters import NOT_A_ROW, NOT_AN_EVENT
    from topics.errors import REASONS

    _check(given, (*REASONS, NOT_AN_EVENT, NOT_A_ROW), "--reason")
    return tuple(given)


def _topics(given: Sequence[str]) -> tuple[str, ...]:
    """Return the topics' names as letters have them: the history worker's carry the prefix."""
    from streams.settings import load_settings
    from topics.registry import BY_NAME

    if not given:
        return ()
    prefix = load_settings().worker.prefix
    bare = [name.removeprefix(prefix) for name in given]
    _check(bare, BY_NAME, "--topic")
    return tuple(dict.fromkeys(full for name in bare for full in (name, f"{prefix}{name}")))


def _check(given: Sequence[str], known: Collection[str], option: str) -> None:
    """Refuse a word that no letter can have: none would be found, and all seem well."""
    for word in given:
        if word not in known:
            raise typer.BadParameter(f"{word!r} is none of {', '.join(known)}", param_hint=option)
