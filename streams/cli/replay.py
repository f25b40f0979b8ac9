"""`tillstream replay`: the history made again from the log, compared, and put in place."""

from __future__ import annotations

import typer

from streams.cli import panels, replay_book, replay_run, replay_swap

EPILOG = """
**A whole rebuild**

    tillstream replay plan                               what it takes

    tillstream replay run --apply --why 'rows lost'      make the shadow; the live history goes on

    tillstream replay diff                               compare

    tillstream replay swap --apply --why 'rows lost'     put it in place

    tillstream replay rollback --apply --why 'worse'     or take it back

    tillstream replay drop --apply --why 'all is well'   remove what was kept

See docs/operations/replay.md.
"""

replay = typer.Typer(
    no_args_is_help=True,
    epilog=EPILOG,
    help="Make the history again from the log, beside the live one; compare; swap.",
)
# In the order in which `--help` lists them.
for module in (replay_run, replay_swap, replay_book):
    module.register(replay)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(replay, name="replay", rich_help_panel=panels.OPERATE)
