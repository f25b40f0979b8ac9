"""Explains: what happened to an order, across the topics and Postgres. Reads only."""
