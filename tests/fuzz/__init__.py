"""Anything at all as a record: what the decoders and the decision do with it."""
