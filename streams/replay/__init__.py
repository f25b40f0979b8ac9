"""Replays: the outgoing topics read again, into a second history beside the live one."""
