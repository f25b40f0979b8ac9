"""The files for containers say what the workers need, and nothing runs with more rights than that."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.settings import KafkaSettings, PostgresSettings, WorkerSettings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())
KUBERNETES: list[dict[str, Any]] = [
    document
    for path in sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
WORKERS = ("stock", "history")


def _known(name: str) -> bool:
    """Say whether a variable is a setting of ours, or names the file of one."""
    name = name.removesuffix("_FILE")
    return any(
        name.removeprefix(section.model_config["env_prefix"]).lower() in section.model_fields
        for section in (KafkaSettings, PostgresSettings, WorkerSettings)
        if name.startswith(section.model_config["env_prefix"])
    )


def _of_kind(kind: str) -> list[dict[str, Any]]:
    return [document for document in KUBERNETES if document["kind"] == kind]


def _pods() -> list[tuple[str, dict[str, Any]]]:
    return [(one["metadata"]["name"], one["spec"]["template"]["spec"]) for one in _of_kind("StatefulSet")]


def test_every_variable_is_a_setting_that_there_is() -> None:
    services = COMPOSE["services"].values()
    names = {name for service in services for name in service["environment"] if name.startswith("TILL")}
    (settings,) = _of_kind("ConfigMap")
    names |= set(settings["data"])
    names |= {one["name"] for _, pod in _pods() for one in pod["containers"][0]["env"]}
    assert len(names) > 10
    assert [name for name in sorted(names) if not _known(name)] == []


def test_compose_starts_two_workers_of_each_kind_under_names_of_their_own_once_all_is_there() -> None:
    services = COMPOSE["services"]
    workers = {name: one for name, one in services.items() if one.get("command", [""])[0] == "worker"}
    assert sorted(one["command"][1] for one in workers.values()) == ["history", "history", "stock", "stock"]
    assert {one["environment"]["TILLSTREAM_INSTANCE_ID"] for one in workers.values()} == set(workers)
    assert all(one["restart"] == "always" and "prepare" in one["depends_on"] for one in workers.values())
    assert all("ports" not in one for one in services.values())
    assert services["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_no_password_stands_in_a_file() -> None:
    (settings,) = _of_kind("ConfigMap")
    told = [one["environment"] for one in COMPOSE["services"].values()] + [settings["data"]]
    assert [name for one in told for name in one if "PASSWORD" in name and not name.endswith("_FILE")] == []
    assert _of_kind("Secret") == []


@pytest.mark.parametrize(("name", "pod"), _pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_pod_has_a_name_that_stays_probes_limits_and_no_rights(name: str, pod: dict[str, Any]) -> None:
    kind = name.removeprefix("tillstream-")
    (container,) = pod["containers"]
    assert container["args"] == ["worker", kind]
    environment = {one["name"]: one for one in container["env"]}
    named = environment["TILLSTREAM_INSTANCE_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert named == "metadata.name"
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/live", "livenessProbe": "/live", "readinessProbe": "/ready"}
    # The settings give every pod one port number to count from: slot 0's.
    assert container["ports"] == [{"name": "http", "containerPort": WorkerSettings().port(kind)}]
    assert container["resources"]["limits"]["memory"]
    assert pod["securityContext"]["runAsNonRoot"]
    rights = container["securityContext"]
    assert not rights["allowPrivilegeEscalation"]
    assert rights["readOnlyRootFilesystem"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    grace = WorkerSettings().shutdown_grace_s + WorkerSettings().request_timeout_s / 2
    assert pod["terminationGracePeriodSeconds"] >= grace


def test_each_kind_has_a_stateful_set_a_service_and_a_budget() -> None:
    for kind in ("StatefulSet", "Service", "PodDisruptionBudget"):
        assert {one["metadata"]["name"] for one in _of_kind(kind)} == {f"tillstream-{one}" for one in WORKERS}
    assert len(COMPOSE["services"]) == 2 + 2 + 2 * len(WORKERS)
