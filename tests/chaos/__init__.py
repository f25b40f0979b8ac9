"""Tests that kill, stop and take away, under load; then every sum must be right."""

import pytest

# Assertions in the module that tests share explain themselves, too.
pytest.register_assert_rewrite("tests.chaos.load")
