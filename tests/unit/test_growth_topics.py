"""What Kafka may remove once a topic's setting is made: told before it is."""

import pytest

from streams.alteration import Cost, alterations, cost_of
from streams.provision import TopicState
from topics.registry import topic

DAY = 86_400_000


@pytest.mark.parametrize(
    ("setting", "found", "due", "cost"),
    [
        ("retention.ms", "-1", f"{30 * DAY}", "old_records"),
        ("retention.ms", f"{60 * DAY}", f"{30 * DAY}", "old_records"),
        ("retention.ms", f"{7 * DAY}", f"{30 * DAY}", "nothing"),
        ("retention.ms", f"{7 * DAY}", "-1", "nothing"),
        ("retention.ms", "-1", "0", "old_records"),
        ("cleanup.policy", "delete", "compact", "replaced_records"),
        ("cleanup.policy", "delete", "compact,delete", "replaced_records"),
        ("cleanup.policy", "compact,delete", "compact", "nothing"),
        ("delete.retention.ms", f"{7 * DAY}", f"{DAY}", "deletions"),
        ("delete.retention.ms", f"{DAY}", f"{7 * DAY}", "nothing"),
        ("max.message.bytes", "9000000", "1048588", "nothing"),
        ("min.insync.replicas", "1", "2", "nothing"),
    ],
)
def test_a_setting_costs_what_kafka_may_remove_for_it(setting: str, found: str, due: str, cost: Cost) -> None:
    assert cost_of(setting, found, due, {}, {}) == cost


def test_what_was_compacted_and_is_then_kept_for_ever_loses_nothing() -> None:
    kept = cost_of("cleanup.policy", "compact", "delete", {}, {"retention.ms": "-1"})
    aged = cost_of("cleanup.policy", "compact", "delete", {}, {"retention.ms": f"{DAY}"})

    assert (kept, aged) == ("nothing", "old_records")


def test_only_settings_that_differ_are_altered() -> None:
    due = topic("sales").config()
    state = TopicState(
        name="t.sales",
        topic=topic("sales"),
        partitions=4,
        due=due,
        config={**due, "compression.type": "gzip"},
        differs={"compression.type": ("producer", "gzip")},
    )

    (one,) = alterations([state])

    assert (one.topic, one.setting, one.found, one.due) == ("t.sales", "compression.type", "gzip", "producer")
    assert one.cost == "nothing"
