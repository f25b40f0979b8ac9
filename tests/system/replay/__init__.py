"""Tests of replays: the history made again from the log, compared, and put in place."""

import pytest

pytest.register_assert_rewrite("tests.system.replay.replaying")
