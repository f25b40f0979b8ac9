"""Tests of the whole: records into Kafka, events and rows out, the real workers between."""
