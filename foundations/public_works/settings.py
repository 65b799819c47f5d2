"""What can be set from outside, by environment variable or `.env`, with every fault at once."""

import json
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from foundations.public_works.weak_secrets import MAKE_A_TOKEN, weakness_of
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean

SECRET_PREFIX = "CIVITAS_SECRET_"  # noqa: S105 - a name, no secret
"""Environment variables of this prefix are secrets, not settings."""

_SHARED_LEASE_SECONDS = 15
GIB = 1024**3
MIB = 1024**2


class CloudReadyMode(StrEnum):
    """Which column of the infrastructure is used; see `cloud_ready.py`."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    HYBRID = "hybrid"


def _on_or_off(value: object) -> object:
    """A flag as people write it; an empty one is not set."""
    words = {"enabled": True, "true": True, "disabled": False, "false": False, "": None}
    return words.get(str(value).lower(), value) if isinstance(value, str) else value


Switch = Annotated[bool | None, BeforeValidator(_on_or_off)]


def _flag(part: str, what: str) -> Any:
    name = f"CLOUD_READY_{part}"
    return Field(
        default=None,
        validation_alias=AliasChoices(name, name.lower()),
        description=f"`enabled` or `disabled`, in `hybrid`: {what}",
    )


def variable(name: str) -> str:
    """The environment variable of a setting."""
    upper = name.upper()
    return upper if upper.startswith("CLOUD_READY_") else f"CIVITAS_{upper}"


def secrets_in_env_file(path: Path) -> list[str]:
    """The names in an `.env` file whose values are secrets and are set."""
    fields = Settings.model_fields.items()
    secret = {variable(name) for name, field in fields if "SecretStr" in str(field.annotation)}
    given = {name for name, value in dotenv_values(path).items() if value}
    return sorted(name for name in given if name in secret or name.startswith(SECRET_PREFIX))


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
        description="`disabled` stands on this machine alone, `enabled` on servers everywhere, "
        "`hybrid` on those that a flag or a URL names; `true` and `false` are accepted",
    )
    cloud_ready_store: Switch = _flag("STORE", "records and journal on PostgreSQL")
    cloud_ready_journeys: Switch = _flag("JOURNEYS", "journeys on Celery workers")
    cloud_ready_files: Switch = _flag("FILES", "files in an S3-compatible store")
    cloud_ready_events: Switch = _flag("EVENTS", "events by PostgreSQL, or by Redis")
    database_url: SecretStr = Field(
        default=SecretStr(""), description="postgresql://USER:PASSWORD@HOST:5432/DATABASE"
    )
    database_connections: int = Field(
        default=12, ge=5, description="to a database server that this process opens at the most"
    )
    broker_url: SecretStr | None = Field(
        default=None, description="amqp://USER:PASSWORD@HOST:5672/VHOST, or redis://..."
    )
    redis_url: SecretStr | None = Field(
        default=None, description="redis://:PASSWORD@HOST:6379/0, for events, limits and sessions"
    )
    files_url: str = Field(default="", description="s3://BUCKET, or s3://BUCKET/PREFIX")
    files_endpoint: str = Field(
        default="", description="where the store answers, such as https://HOST:9000; empty is AWS"
    )
    files_region: str = "us-east-1"
    files_shared: bool = Field(
        default=False,
        description="every process sees this data folder, as in containers with one volume",
    )
    files_access_key: SecretStr | None = Field(
        default=None, description="empty takes what AWS gives the machine"
    )
    files_secret_key: SecretStr | None = Field(default=None, description="shown nowhere")
    access_token: SecretStr | None = Field(
        default=None,
        description="what each request must bear, at least 32 characters; opens other hosts",
    )
    role_tokens: Annotated[dict[str, SecretStr], NoDecode] = Field(
        default_factory=dict,
        description='tokens of roles that see and do less, such as {"reader": "..."}; each at '
        "least 32 characters",
    )
    data_dir: Path = Field(default=Path(".civitas"), description="where the city keeps everything")
    data_policy: Path | None = Field(
        default=None, description="a data policy of your own; empty takes the one that ships"
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free port")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    trace_export: Literal["none", "file", "otlp"] = Field(
        default="none",
        description="file writes each span as a JSON line to logs/spans.jsonl, otlp sends them",
    )
    trace_endpoint: str = Field(
        default="http://127.0.0.1:4318", description="where a collector takes OTLP over HTTP"
    )
    max_upload_bytes: int = Field(default=100 * MIB, gt=0)
    max_body_bytes: int = Field(default=MIB, gt=0, description="of a JSON request")
    upload_idle_seconds: float = Field(default=20, gt=0)
    upload_expire_seconds: float = Field(
        default=86_400, gt=0, description="an upload in pieces may take so long from its beginning"
    )
    storage_quota_bytes: int = Field(
        default=0, ge=0, description="of clients' files that each tenant may keep; 0 is no limit"
    )
    parse_cpu_seconds: int = Field(default=30, gt=0)
    parse_memory_bytes: int = Field(default=2 * GIB, ge=256 * MIB)
    parse_wall_seconds: float = Field(default=60, gt=0)
    embedding_url: str = Field(
        default="",
        description="an OpenAI-compatible endpoint such as https://HOST/v1; empty embeds here",
    )
    embedding_model: str = Field(
        default="", max_length=100, description="the endpoint's name for its model"
    )
    embedding_dimensions: int = Field(
        default=0, ge=0, le=16_000, description="to ask the endpoint for; 0 takes what it gives"
    )
    embedding_api_key: SecretStr | None = Field(
        default=None, description="for the endpoint; shown nowhere"
    )
    search_memory_bytes: int = Field(
        default=512 * MIB,
        ge=0,
        description="for vectors that are searched in this process; more are read at each search",
    )
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
    worker_spread_seconds: float = Field(
        default=0.02,
        ge=0,
        description="calls of one run at the same time go to several workers where each takes "
        "longer than this; 0 keeps them with the run",
    )
    journey_backlog: int = Field(
        default=20_000,
        gt=0,
        description="with so many runs on the move, or waiting for a worker, no other is accepted",
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
    model_api_key: SecretStr | None = Field(
        default=None, description="for model clients that realms bring; shown nowhere"
    )

    @property
    def lease_seconds(self) -> float:
        """How long a holder of runs need not be heard of before others take them over."""
        named = self.cloud_ready_mode is not CloudReadyMode.DISABLED and self.database_url
        shared = bool(named) and self.cloud_ready_store is not False
        return self.journey_lease_seconds or (_SHARED_LEASE_SECONDS if shared else 0)

    @field_validator("data_dir", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if value == "":
            raise ValueError("is empty; name a folder, or unset it")
        return value

    @field_validator("cloud_ready_mode", mode="before")
    @classmethod
    def _accept_true_and_false(cls, value: object) -> object:
        return {"true": "enabled", "false": "disabled"}.get(str(value).lower(), value)

    @field_validator(
        "broker_url", "redis_url", "files_access_key", "files_secret_key",
        "access_token", "data_policy", "embedding_api_key", mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("access_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (weakness := weakness_of(value.get_secret_value())):
            raise ValueError(f"{weakness}; make one: {MAKE_A_TOKEN}")
        return value

    @field_validator("role_tokens", mode="before")
    @classmethod
    def _as_json(cls, value: object) -> object:
        try:
            return json.loads(value or "{}") if isinstance(value, str) else value
        except ValueError:
            raise ValueError('is no JSON such as {"reader": "..."}') from None

    @field_validator("role_tokens")
    @classmethod
    def _each_hard_to_guess(
        cls, tokens: dict[str, SecretStr], others: ValidationInfo
    ) -> dict[str, SecretStr]:
        plain = [token.get_secret_value() for token in tokens.values()]
        for role, token in zip(tokens, plain, strict=True):
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", role):
                raise ValueError("a role is a word of small letters, such as reader")
            if weakness := weakness_of(token):
                raise ValueError(f"the token of {role} {weakness}; make one: {MAKE_A_TOKEN}")
        owners = others.data.get("access_token")
        if tokens and owners is None:
            raise ValueError("needs CIVITAS_ACCESS_TOKEN too, or everybody is the owner")
        if (
            len({*plain, *([owners.get_secret_value()] if owners else [])}) <= len(tokens)
            and tokens
        ):
            raise ValueError("two tokens are the same; make one for each role")
        return tokens

    @field_validator("trace_endpoint")
    @classmethod
    def _http_address(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^/@\s]+(/[^@\s]*)?", value):
            raise ValueError("is no address such as http://127.0.0.1:4318, without a password")
        return value

    @field_validator("embedding_url")
    @classmethod
    def _http_endpoint(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/@\s?#]+(/[^@\s?#]*)?", value):
            raise ValueError("is no address such as https://HOST/v1, without a password")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _endpoint_has_a_model(self) -> Self:
        if self.embedding_url and not self.embedding_model:
            raise ValueError("CIVITAS_EMBEDDING_URL is set, and CIVITAS_EMBEDDING_MODEL is not")
        return self

    def embedded(self, data_dir: Path) -> Self:
        """The same, standing on a folder alone: for a city that is to touch nothing else."""
        alone: dict[str, object] = {
            name: field.default
            for name, field in type(self).model_fields.items()
            if name.startswith("cloud_ready_") or name.endswith("_url") or name == "trace_export"
        }
        return self.model_copy(update={**alone, "data_dir": data_dir})

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
        known = {variable(name) for name in cls.model_fields}
        given = {**dotenv_values(".env"), **os.environ}
        return [
            FieldError(name, f"is no setting of this version. {did_you_mean(name, known)}".strip())
            for name in sorted(set(given) - known)
            if name.startswith(("CIVITAS_", "CLOUD_READY_")) and not name.startswith(SECRET_PREFIX)
        ]


def _readable(fault: Any) -> FieldError:
    """A pydantic fault in the words of the environment; the value itself is never repeated."""
    name = str(fault["loc"][0]) if fault["loc"] else "settings"
    return FieldError(variable(name), fault["msg"].removeprefix("Value error, "))
