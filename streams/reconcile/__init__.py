"""Holds against each other what the point of sale, the tables, the topics and Postgres say of a store."""
