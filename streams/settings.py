"""What can be set from outside: environment variables `TILLSTREAM_…`, secrets from files beside them."""

import os
import re
import socket
import ssl
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

SECRETS_DIR_VARIABLE = "TILLSTREAM_SECRETS_DIR"
# What Kafka allows in a topic or group name; everything of ours begins with the prefix.
_PREFIX = re.compile(r"[A-Za-z0-9._-]*")

LAST_PORT = 65_535

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class SettingsError(ValueError):
    """A setting is missing or contradicts another; starting again with the same settings will not help."""


class _FromFiles(PydanticBaseSettingsSource):
    """Reads `<VARIABLE>_FILE`: the path of a file that holds the value, as platforms mount secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{self.config.get('env_prefix', '')}{field_name}".upper() + "_FILE"
        path = os.environ.get(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{variable} names {path!r}, which cannot be read as text: {error}"
            ) from error

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                found[key] = value
        return found


class _Section(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FromFiles(settings_cls), file_secret_settings


class KafkaSettings(_Section):
    """How to reach the brokers (`TILLSTREAM_KAFKA_…`)."""

    model_config = SettingsConfigDict(env_prefix="TILLSTREAM_KAFKA_")

    bootstrap: str = ""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_ca: Path | None = None
    ssl_cert: Path | None = None
    ssl_key: Path | None = None
    ssl_key_password: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _complete(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL") and not (
            self.sasl_username and self.sasl_password.get_secret_value()
        ):
            raise ValueError(
                f"security protocol {self.security_protocol} needs a user and a password: set"
                " TILLSTREAM_KAFKA_SASL_USERNAME and TILLSTREAM_KAFKA_SASL_PASSWORD (or …_PASSWORD_FILE)"
            )
        if (self.ssl_cert is None) != (self.ssl_key is None):
            raise ValueError(
                "a client certificate needs its key and the other way round: set both or neither"
            )
        return self

    def servers(self) -> list[str]:
        """Bootstrap servers as `host:port`."""
        return [server.strip() for server in self.bootstrap.split(",") if server.strip()]

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments that every aiokafka client takes to connect; holds the password in the clear."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers(),
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            context = ssl.create_default_context(cafile=str(self.ssl_ca) if self.ssl_ca else None)
            if self.ssl_cert is not None and self.ssl_key is not None:
                password = self.ssl_key_password.get_secret_value() or None
                context.load_cert_chain(str(self.ssl_cert), str(self.ssl_key), password)
            options["ssl_context"] = context
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return options


class PostgresSettings(_Section):
    """How to reach Postgres (`TILLSTREAM_POSTGRES_…`): a DSN, or its parts."""

    model_config = SettingsConfigDict(env_prefix="TILLSTREAM_POSTGRES_")

    dsn: SecretStr = SecretStr("")
    host: str = ""
    port: Positive = 5432
    database: str = "tillstream"
    user: str = "tillstream"
    password: SecretStr = SecretStr("")
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    ssl_ca: Path | None = None
    pool_min: Positive = 1
    pool_max: Positive = 8

    @model_validator(mode="after")
    def _pool_fits(self) -> "PostgresSettings":
        if self.pool_min > self.pool_max:
            raise ValueError(f"pool_min {self.pool_min} is above pool_max {self.pool_max}: lower the first")
        return self

    @property
    def configured(self) -> bool:
        """Whether anything says where Postgres is."""
        return bool(self.dsn.get_secret_value() or self.host)

    def connect_options(self) -> dict[str, Any]:
        """Arguments for `asyncpg.connect` and `asyncpg.create_pool`; holds the password in the clear."""
        dsn = self.dsn.get_secret_value()
        if dsn:
            password = self.password.get_secret_value()
            return {"dsn": dsn} | ({"password": password} if password else {})
        options: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.user,
            "ssl": self._ssl(),
        }
        password = self.password.get_secret_value()
        return options | ({"password": password} if password else {})

    def _ssl(self) -> ssl.SSLContext | str:
        if self.ssl_ca is None:
            return self.sslmode
        context = ssl.create_default_context(cafile=str(self.ssl_ca))
        context.check_hostname = self.sslmode == "verify-full"
        return context


class WorkerSettings(_Section):
    """How the workers run (`TILLSTREAM_…`)."""

    model_config = SettingsConfigDict(env_prefix="TILLSTREAM_")

    prefix: str = ""
    """Goes before every topic, group and transactional id, so that several installations share a cluster."""
    partitions: Positive = 4
    """Partitions that `topics create` gives every topic; a worker takes what it finds."""
    pace_ms: Annotated[int, Field(ge=0)] = 50
    """Milliseconds from one commit of a lane to its next when it is busy; an idle lane commits at once."""
    max_unit_records: Positive = 4000
    """Input records that a unit of work takes at most (one fetched batch more or less)."""
    max_commits_per_s: Annotated[float, Field(gt=0)] = 200.0
    """Commits per second over all lanes: a transaction costs about 2 ms of CPU, however small it is."""
    session_timeout_s: Seconds = 10.0
    heartbeat_s: Seconds = 2.5
    rebalance_timeout_s: Seconds = 30.0
    transaction_timeout_s: Seconds = 60.0
    """After this long without an end the broker aborts a transaction; must outlast a broker's restart."""
    request_timeout_s: Seconds = 30.0
    slot: Annotated[int, Field(ge=0)] = 0
    """Number of this worker among those of its kind on this machine."""
    instance_id: str = ""
    """Static group membership; empty: from host name and slot. Must differ between running workers.

    A worker that stops does not leave its group, so that one that starts again under the same id gets its
    partitions back at once; partitions of one that stays away move after `session_timeout_s`.
    """
    data_dir: Path | None = None
    """Where the local stack lives (`tillstream up`), asked when neither Kafka nor Postgres is configured."""
    table_memory_mib: Annotated[float, Field(ge=0)] = 1024
    """Memory for the rows of tables that grow; those not written for longest go to disk. 0: all stay."""
    table_dir: Path | None = None
    """Where rows go that leave memory: a folder on a local disk, in which each worker makes its own."""
    shutdown_grace_s: Seconds = 10.0
    http_host: str = "127.0.0.1"
    """Where the worker answers probes and Prometheus; it has no password, so loopback unless told."""
    http_port: Annotated[int, Field(ge=0, le=LAST_PORT)] = 9640
    """Port of the stock worker of slot 0; see `port`. 0: no worker answers."""

    @field_validator("prefix")
    @classmethod
    def _legal(cls, value: str) -> str:
        if not _PREFIX.fullmatch(value):
            raise ValueError(
                f"prefix {value!r} has characters that Kafka does not allow in names: use letters, digits, ."
                " _ -"
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "WorkerSettings":
        if self.heartbeat_s * 2 > self.session_timeout_s:
            raise ValueError(
                f"heartbeat_s {self.heartbeat_s} leaves no room for a lost heartbeat in session_timeout_s"
                f" {self.session_timeout_s}: make it a third or less"
            )
        return self

    def tables_dir(self) -> Path:
        """`table_dir`; when it is not set, `tables` in the data directory, else a temporary folder."""
        if self.table_dir is not None:
            return self.table_dir.expanduser().absolute()
        if self.data_dir is not None:
            return self.data_dir.expanduser().absolute() / "tables"
        return Path(gettempdir()) / f"tillstream-tables-{os.getuid()}"

    def topic(self, name: str) -> str:
        """The full name of a topic of the registry."""
        return f"{self.prefix}{name}"

    def app_id(self, kind: str) -> str:
        """The app id and consumer group of a kind of worker (`stock`, `history`)."""
        return f"{self.prefix}{kind}"

    def port(self, kind: str, slot: int | None = None) -> int | None:
        """The port at which a worker answers; None when none does.

        History workers have the port after their stock worker's, further slots the next pairs.
        """
        if not self.http_port:
            return None
        port = self.http_port + 2 * (self.slot if slot is None else slot) + (kind == "history")
        return port if port <= LAST_PORT else None

    def member(self, kind: str) -> str:
        """The static group member that this process is."""
        return self.instance_id or f"{self.app_id(kind)}-{socket.gethostname()}-{self.slot}"


class Settings:
    """All settings of a process."""

    __slots__ = ("kafka", "postgres", "worker")

    def __init__(self, kafka: KafkaSettings, postgres: PostgresSettings, worker: WorkerSettings) -> None:
        self.kafka = kafka
        self.postgres = postgres
        self.worker = worker

    def __repr__(self) -> str:
        return f"Settings(kafka={self.kafka!r}, postgres={self.postgres!r}, worker={self.worker!r})"


def load_settings(*, data_dir: Path | None = None, **worker: Any) -> Settings:
    """Settings from the environment; what says nothing of Kafka or Postgres means the running local stack.

    Keyword arguments override fields of `WorkerSettings` (command line options). Kafka's bootstrap or
    Postgres' place stay empty when neither the environment nor a local stack gives them: `require_kafka` and
    `require_postgres` say so where they are needed.
    """
    secrets = os.environ.get(SECRETS_DIR_VARIABLE) or None
    overrides = {name: value for name, value in worker.items() if value is not None}
    if data_dir is not None:
        overrides["data_dir"] = data_dir
    kafka = KafkaSettings(_secrets_dir=secrets)  # type: ignore[call-arg]  # pydantic-settings' own argument
    postgres = PostgresSettings(_secrets_dir=secrets)  # type: ignore[call-arg]
    settings = WorkerSettings(**overrides)
    if not kafka.bootstrap or not postgres.configured:
        bootstrap, dsn = _local_stack(settings.data_dir)
        if not kafka.bootstrap and bootstrap:
            kafka = kafka.model_copy(update={"bootstrap": bootstrap})
        if not postgres.configured and dsn:
            postgres = postgres.model_copy(update={"dsn": SecretStr(dsn)})
    return Settings(kafka, postgres, settings)


def require_kafka(settings: Settings) -> None:
    """Raises `SettingsError` when nothing says where Kafka is."""
    if not settings.kafka.servers():
        raise SettingsError(
            "No Kafka is configured and no local stack is running: set TILLSTREAM_KAFKA_BOOTSTRAP"
            " (host:port,…) or start one with `tillstream up`"
        )


def require_postgres(settings: Settings) -> None:
    """Raises `SettingsError` when nothing says where Postgres is."""
    if not settings.postgres.configured:
        raise SettingsError(
            "No Postgres is configured and no local stack is running: set TILLSTREAM_POSTGRES_DSN (or"
            " …_HOST and its fellows) or start one with `tillstream up`"
        )


def _local_stack(data_dir: Path | None) -> tuple[str, str]:
    try:
        from deploy.local.stack import read_endpoints  # noqa: PLC0415  # production installs have no local stack
    except ImportError:
        return "", ""
    endpoints = read_endpoints(data_dir)
    if endpoints is None:
        return "", ""
    return endpoints.bootstrap, endpoints.postgres_dsn
