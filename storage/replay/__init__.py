"""A second history beside the live one: made from the log, compared, and put in its place."""
