"""What can be set from outside, by environment variable or `.env`, with every fault at once."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean

SECRET_PREFIX = "CIVITAS_SECRET_"  # noqa: S105 - a name, no secret
"""Environment variables of this prefix are secrets, not settings."""

BROKERS = ("amqp", "amqps", "redis", "rediss")
_SHARED_LEASE_SECONDS = 15
GIB = 1024**3
MIB = 1024**2


class CloudReadyMode(StrEnum):
    """Which column of the infrastructure is used; this version has the embedded one."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    HYBRID = "hybrid"


class FaultySettings(PlatformError):
    """The settings cannot be used."""

    kind = ErrorKind.CONFIGURATION


class Settings(BaseSettings):
    """Every setting: `CIVITAS_PORT=9000` sets `port`; `CLOUD_READY_MODE` has no prefix."""

    model_config = SettingsConfigDict(
        env_prefix="CIVITAS_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    cloud_ready_mode: CloudReadyMode = Field(
        default=CloudReadyMode.DISABLED,
        validation_alias=AliasChoices("CLOUD_READY_MODE", "cloud_ready_mode"),
    )
    data_dir: Path = Field(default=Path(".civitas"), description="where the city keeps everything")
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="`postgresql://user:password@host:5432/database`; "
        "empty keeps everything in SQLite in the data folder",
    )
    database_connections: int = Field(
        default=12, ge=4, description="to a database server that this process opens at the most"
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free port")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    trace_export: Literal["none", "file"] = Field(
        default="none", description="file writes each span as a JSON line to logs/spans.jsonl"
    )
    max_upload_bytes: int = Field(default=100 * MIB, gt=0)
    max_body_bytes: int = Field(default=MIB, gt=0, description="of a JSON request")
    upload_idle_seconds: float = Field(default=20, gt=0)
    parse_cpu_seconds: int = Field(default=30, gt=0)
    parse_memory_bytes: int = Field(default=2 * GIB, ge=256 * MIB)
    parse_wall_seconds: float = Field(default=60, gt=0)
    drain_seconds: float = Field(default=20, ge=0, description="time a stop gives work in progress")
    stall_seconds: float = Field(
        default=120,
        ge=0,
        description="a server whose event loop stands still for so long ends itself; 0 never",
    )
    journey_attempts: int = Field(
        default=2_000, gt=0, description="how many attempts of milestones are made at once"
    )
    worker_runs: int = Field(
        default=1_000,
        gt=0,
        description="how many runs a worker moves at once; others take the rest",
    )
    journey_backlog: int = Field(
        default=20_000, gt=0, description="with so many runs on the move, no other is accepted"
    )
    journey_beat_seconds: float = Field(
        default=30, gt=0, description="how often runs are looked for that are due, at the least"
    )
    journey_retention_days: int = Field(
        default=90,
        gt=0,
        description="how long finished runs are kept, where a template says nothing",
    )
    journey_lease_seconds: float = Field(
        default=0,
        ge=0,
        description="after which others take over the runs of a process that is silent; "
        "0 is 15 with a database server, and needs no lease without",
    )
    broker_url: SecretStr | None = Field(
        default=None,
        description="amqp://... (RabbitMQ, recommended) or redis://...: journeys are done by "
        "workers (`worker`), seen to by a `scheduler`; this process only accepts them",
    )
    model_api_key: SecretStr | None = Field(
        default=None, description="for model clients that realms bring; shown nowhere"
    )

    @property
    def lease_seconds(self) -> float:
        """How long a holder of runs need not be heard of before others take them over."""
        shared = _SHARED_LEASE_SECONDS if self.database_url.get_secret_value() else 0
        return self.journey_lease_seconds or shared

    @field_validator("data_dir", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if value == "":
            raise ValueError("is empty; name a folder, or unset it")
        return value

    @field_validator("broker_url")
    @classmethod
    def _a_broker_we_know(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and urlsplit(value.get_secret_value()).scheme not in BROKERS:
            raise ValueError(f"is no URL of a broker; it begins with one of {', '.join(BROKERS)}")
        return value

    @field_validator("cloud_ready_mode", mode="before")
    @classmethod
    def _accept_true_and_false(cls, value: object) -> object:
        return {"true": "enabled", "false": "disabled"}.get(str(value).lower(), value)

    @field_validator("cloud_ready_mode")
    @classmethod
    def _only_what_is_built(cls, value: CloudReadyMode) -> CloudReadyMode:
        if value is not CloudReadyMode.DISABLED:
            raise ValueError(
                f"{value.value} is not built in this version; unset it or set it to disabled"
            )
        return value

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read environment and `.env`; `overrides` (of the command line) win.

        Raises:
            FaultySettings: lists every fault, unknown `CIVITAS_` names among them.
        """
        try:
            faults = list(cls._unknown_names())
        except UnicodeDecodeError as error:
            raise FaultySettings(
                "the file .env is not UTF-8 text", hint="save it as UTF-8, or remove it"
            ) from error
        try:
            settings = cls(**{key: value for key, value in overrides.items() if value is not None})
        except ValidationError as error:
            faults += [_readable(fault) for fault in error.errors(include_input=False)]
        if faults:
            listed = "\n".join(f"  {fault.pointer}: {fault.detail}" for fault in faults)
            raise FaultySettings(
                f"{len(faults)} fault(s) in the settings:\n{listed}",
                hint="correct the environment variables or the .env file named above",
                errors=faults,
            )
        return settings

    @classmethod
    def _unknown_names(cls) -> list[FieldError]:
        """Names of ours, in the environment or `.env`, that set nothing."""
        known = {f"CIVITAS_{name.upper()}" for name in cls.model_fields} | {"CLOUD_READY_MODE"}
        given = {**dotenv_values(".env"), **os.environ}
        return [
            FieldError(name, f"is no setting of this version. {did_you_mean(name, known)}".strip())
            for name in sorted(set(given) - known)
            if name.startswith(("CIVITAS_", "CLOUD_READY_")) and not name.startswith(SECRET_PREFIX)
        ]


def _readable(fault: Any) -> FieldError:
    """A pydantic fault in the words of the environment; the value itself is never repeated."""
    name = str(fault["loc"][0]) if fault["loc"] else "settings"
    shown = name.upper() if name.upper().startswith("CLOUD_READY") else f"CIVITAS_{name.upper()}"
    return FieldError(shown, fault["msg"].removeprefix("Value error, "))
