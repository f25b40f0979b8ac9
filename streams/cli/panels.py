"""The groups that `tillstream --help` shows commands in."""

from __future__ import annotations

TRY = "Try it"
RUN = "Run"
LOOK = "Publish and look"
OPERATE = "Operate"
