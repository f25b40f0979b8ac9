"""Tests of the whole: records into Kafka, events and rows out, the real workers between."""

import pytest

# Assertions in the modules that tests share explain themselves, too.
pytest.register_assert_rewrite("tests.system.installation", "tests.system.store", "tests.system.waiting")
