"""Checks, from the outside, that what was published came out once: from the topics and from Postgres."""
