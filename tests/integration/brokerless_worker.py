"""The counting worker, whose consumer finds out that there is no broker just when it wants to join its group.

    python -m tests.integration.brokerless_worker OPTIONS-AS-JSON

As when a cluster's only broker is fenced: it answers, and says that there is none.
"""

import json
import logging
import sys

from aiokafka.consumer.group_coordinator import GroupCoordinator

from tests.integration.counting_worker import build


async def _nobody(_: GroupCoordinator) -> None:
    raise AssertionError("Did we not perform bootstrap?")  # aiokafka's own words


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    GroupCoordinator.ensure_coordinator_known = _nobody
    sys.exit(build(**json.loads(sys.argv[1])).run(with_parent=True))
