"""Settings: where values come from, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.settings import (
    KafkaSettings,
    PostgresSettings,
    Settings,
    SettingsError,
    WorkerSettings,
    load_settings,
    require_kafka,
    require_postgres,
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILLSTREAM_DATA_DIR", str(tmp_path))  # where no stack runs


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", "a:9092, b:9092")
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", "postgresql://u@h/d")
    monkeypatch.setenv("TILLSTREAM_PACE_MS", "40")
    settings = load_settings()
    assert settings.kafka.servers() == ["a:9092", "b:9092"]
    assert settings.postgres.connect_options() == {"dsn": "postgresql://u@h/d"}
    assert settings.worker.pace_ms == 40


def test_options_of_the_command_line_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSTREAM_PREFIX", "env.")
    assert load_settings(prefix="cli.", slot=None).worker.prefix == "cli."


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    monkeypatch.setenv("TILLSTREAM_POSTGRES_HOST", "db")
    monkeypatch.setenv("TILLSTREAM_POSTGRES_PASSWORD_FILE", str(secret))
    assert load_settings().postgres.connect_options()["password"] == "hunter2"


def test_a_secret_may_be_in_a_directory_of_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tillstream_kafka_sasl_password").write_text("hunter2")
    monkeypatch.setenv("TILLSTREAM_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", "a:9092")
    monkeypatch.setenv("TILLSTREAM_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("TILLSTREAM_KAFKA_SASL_USERNAME", "till")
    assert load_settings().kafka.client_options()["sasl_plain_password"] == "hunter2"


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_PASSWORD_FILE", "/nowhere/password")
    with pytest.raises(SettingsError, match="TILLSTREAM_POSTGRES_PASSWORD_FILE names '/nowhere/password'"):
        load_settings()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", "postgresql://u:hunter2@h/d")
    settings = load_settings()
    assert "hunter2" not in repr(settings)


def test_nothing_configured_says_what_to_set() -> None:
    settings = Settings(KafkaSettings(), PostgresSettings(), WorkerSettings())
    with pytest.raises(SettingsError, match=r"TILLSTREAM_KAFKA_BOOTSTRAP .*`tillstream up`"):
        require_kafka(settings)
    with pytest.raises(SettingsError, match=r"TILLSTREAM_POSTGRES_DSN .*`tillstream up`"):
        require_postgres(settings)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"prefix": "a b"}, "prefix 'a b' has characters"),
        ({"heartbeat_s": 6, "session_timeout_s": 10}, "no room for a lost heartbeat"),
        ({"partitions": 0}, "greater than 0"),
    ],
)
def test_values_that_cannot_work_are_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        WorkerSettings(**options)


def test_sasl_without_a_password_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs a user and a password"):
        KafkaSettings(bootstrap="a:9092", security_protocol="SASL_SSL", sasl_username="till")


def test_a_member_is_named_by_host_and_slot_unless_it_is_set() -> None:
    assert WorkerSettings(prefix="x.", slot=3).member("stock").startswith("x.stock-")
    assert WorkerSettings(slot=3).member("stock").endswith("-3")
    assert WorkerSettings(instance_id="pod-7").member("stock") == "pod-7"
