"""Which infrastructure the settings choose, and every fault that speaks against it."""

from typing import Any

import pytest

from foundations.public_works.cloud_ready import Choice, Component, chosen
from foundations.public_works.findings import InfrastructureUnfit, Level
from foundations.public_works.settings import Settings
from utilities.errors import ErrorKind

PG = "postgresql://city:gF4hJ8kL@10.0.0.5:5432/city"
PG_HERE = "postgresql://postgres:postgres@127.0.0.1/city"
RABBIT = "amqp://city:gF4hJ8kL@mq.internal:5672/city"
RABBIT_HERE = "amqp://guest:guest@localhost:5672//"
REDIS = "redis://:gF4hJ8kL@cache.internal:6379/0"
REDIS_HERE = "redis://127.0.0.1:6379/0"
S3 = {"files_url": "s3://city/of/north"}
KEYS = {"files_access_key": "city", "files_secret_key": "gF4hJ8kL"}
MINIO = {**S3, "files_endpoint": "https://minio.internal:9000", **KEYS}

L, R = "sqlite in_process local_folder local_events", "postgresql celery object_store"


def choice_of(settings: dict[str, Any]) -> Choice:
    rest = {"mode": "hybrid", **settings}
    return chosen(Settings(cloud_ready_mode=rest.pop("mode"), **rest))


def taken(choice: Choice) -> str:
    return " ".join(taking.taken for taking in choice.components)


def faults(choice: Choice) -> list[str]:
    return [f"{f.about}: {f.detail}" for f in choice.findings if f.level is Level.FAULT]


def flags(**parts: bool) -> dict[str, bool]:
    return {f"cloud_ready_{part}": flag for part, flag in parts.items()}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        # the left column, whatever URLs are set
        ({"mode": "disabled"}, L),
        ({"mode": "disabled", "database_url": PG, "broker_url": RABBIT, **MINIO}, L),
        ({"mode": "disabled", **flags(store=False, journeys=False, files=False, events=False)}, L),
        # the right column everywhere
        (
            {"mode": "enabled", "database_url": PG, "broker_url": RABBIT, **MINIO},
            f"{R} postgresql_events",
        ),
        (
            {
                "mode": "enabled",
                "database_url": PG,
                "broker_url": RABBIT,
                **MINIO,
                "redis_url": REDIS,
            },
            f"{R} redis_events",
        ),
        (
            {
                "mode": "enabled",
                "database_url": PG,
                "broker_url": REDIS,
                **MINIO,
                **flags(store=True),
            },
            f"{R} postgresql_events",
        ),
        # hybrid: nothing said is the left column
        ({}, L),
        # hybrid: a URL says so
        ({"database_url": PG}, "postgresql in_process local_folder postgresql_events"),
        (
            {"database_url": "postgresql+psycopg://x/city"},
            "postgresql in_process local_folder postgresql_events",
        ),
        (MINIO, "sqlite in_process object_store local_events"),
        (S3, "sqlite in_process object_store local_events"),
        ({"redis_url": REDIS}, "sqlite in_process local_folder redis_events"),
        (
            {"database_url": PG_HERE, "broker_url": RABBIT_HERE},
            "postgresql celery local_folder postgresql_events",
        ),
        (
            {"database_url": PG_HERE, "broker_url": REDIS_HERE, "redis_url": REDIS_HERE},
            "postgresql celery local_folder redis_events",
        ),
        # hybrid: a flag says so, and outweighs a URL
        ({**flags(store=False), "database_url": PG}, L),
        ({**flags(files=False), **MINIO}, L),
        ({**flags(journeys=False), "broker_url": RABBIT}, L),
        ({**flags(events=False), "redis_url": REDIS}, L),
        (
            {**flags(events=False), "database_url": PG},
            "postgresql in_process local_folder local_events",
        ),
        (
            {**flags(events=True), "database_url": PG},
            "postgresql in_process local_folder postgresql_events",
        ),
        (
            {**flags(events=True, store=True, files=True), "database_url": PG, **MINIO},
            "postgresql in_process object_store postgresql_events",
        ),
    ],
)
def test_sound_settings_choose(settings: dict[str, Any], wanted: str) -> None:
    choice = choice_of(settings)

    assert faults(choice) == []
    assert taken(choice) == wanted


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        # enabled names everything that is missing, at once
        (
            {"mode": "enabled"},
            [
                "store: CIVITAS_DATABASE_URL is not set",
                "journeys: CIVITAS_BROKER_URL is not set",
                "files: CIVITAS_FILES_URL is not set",
            ],
        ),
        # a flag that says the opposite of the mode
        (
            {"mode": "disabled", **flags(store=True, events=True)},
            [
                "store: CLOUD_READY_STORE=enabled contradicts CLOUD_READY_MODE=disabled",
                "events: CLOUD_READY_EVENTS=enabled contradicts CLOUD_READY_MODE=disabled",
            ],
        ),
        (
            {
                "mode": "enabled",
                "database_url": PG,
                "broker_url": RABBIT,
                **MINIO,
                **flags(files=False),
            },
            ["files: CLOUD_READY_FILES=disabled contradicts CLOUD_READY_MODE=enabled"],
        ),
        # databases
        (
            {"mode": "enabled", "database_url": "sqlite:///x.db", "broker_url": RABBIT, **MINIO},
            ["store: CIVITAS_DATABASE_URL names SQLite, which serves one machine only"],
        ),
        (
            {"database_url": "sqlite:///city.db"},
            [
                (
                    "store: CIVITAS_DATABASE_URL names no PostgreSQL, "
                    "and SQLite is always in the data folder"
                )
            ],
        ),
        (
            {**flags(store=True), "database_url": "mysql://x/city"},
            ["store: CIVITAS_DATABASE_URL names mysql, which the city cannot use"],
        ),
        (
            {**flags(store=True), "database_url": "not a url"},
            ["store: CIVITAS_DATABASE_URL names nothing, which the city cannot use"],
        ),
        (
            {**flags(store=True), "database_url": "postgresql://x:port/city"},
            ["store: CIVITAS_DATABASE_URL is no URL"],
        ),
        ({"database_url": "postgresql://x"}, ["store: CIVITAS_DATABASE_URL names no database"]),
        ({**flags(store=True)}, ["store: CIVITAS_DATABASE_URL is not set"]),
        # brokers
        (
            {"database_url": PG, "broker_url": "memory://", **MINIO},
            ["journeys: CIVITAS_BROKER_URL names memory, which the city cannot use"],
        ),
        (
            {"database_url": PG, **flags(journeys=True), **MINIO},
            ["journeys: CIVITAS_BROKER_URL is not set"],
        ),
        # what cannot work together
        ({"broker_url": RABBIT_HERE}, ["journeys: Celery workers cannot share SQLite"]),
        (
            {"database_url": PG_HERE, "broker_url": RABBIT},
            ["files: workers on other hosts would not find the files of this one"],
        ),
        (
            {"database_url": PG, "broker_url": RABBIT_HERE},
            ["files: workers on other hosts would not find the files of this one"],
        ),
        ({"database_url": PG, "broker_url": RABBIT, "files_shared": True}, []),
        (
            {"database_url": PG_HERE, "broker_url": RABBIT_HERE, **flags(events=False)},
            ["events: nobody would hear the events of workers in other processes"],
        ),
        (
            {**flags(events=True)},
            ["events: there is neither a Redis nor a PostgreSQL to carry events"],
        ),
        (
            {**flags(events=True), "redis_url": "amqp://x"},
            ["events: CIVITAS_REDIS_URL names amqp, which the city cannot use"],
        ),
        # files
        (
            {"files_url": "https://minio/city"},
            ["files: CIVITAS_FILES_URL names no bucket of an S3 store"],
        ),
        ({"files_url": "s3://"}, ["files: CIVITAS_FILES_URL names no bucket of an S3 store"]),
        ({"files_url": "s3://[x"}, ["files: CIVITAS_FILES_URL names no bucket of an S3 store"]),
        ({"files_url": "s3://key:word@city"}, ["files: keys stand in a URL"]),
        ({**S3, "files_endpoint": "https://key:word@minio"}, ["files: keys stand in a URL"]),
        ({**S3, "files_endpoint": "minio:9000"}, ["files: CIVITAS_FILES_ENDPOINT is no address"]),
        ({**S3, "files_endpoint": "http://"}, ["files: CIVITAS_FILES_ENDPOINT is no address"]),
        ({**S3, "files_endpoint": "http://[x"}, ["files: CIVITAS_FILES_ENDPOINT is no address"]),
        (
            {**S3, "files_access_key": "city"},
            ["files: CIVITAS_FILES_SECRET_KEY is not set, though its companion is"],
        ),
        (
            {**S3, "files_secret_key": "word"},
            ["files: CIVITAS_FILES_ACCESS_KEY is not set, though its companion is"],
        ),
        ({**flags(files=True)}, ["files: CIVITAS_FILES_URL is not set"]),
    ],
)  # fmt: skip
def test_faulty_settings_are_told(settings: dict[str, Any], wanted: list[str]) -> None:
    choice = choice_of(settings)

    assert faults(choice) == wanted
    assert all(found.remedy for found in choice.findings)


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"database_url": "postgresql://postgres:postgres@db.internal/city"}, "store"),
        ({"database_url": "postgresql://city:city@db.internal/city"}, "store"),
        ({"database_url": "postgresql://city:pass%77ord@db.internal/city"}, "store"),
        ({"database_url": "postgresql://a:changeme@127.0.0.1,10.0.0.1/city"}, "store"),
        (
            {"database_url": PG, **MINIO, "broker_url": "amqp://guest:guest@mq.internal//"},
            "journeys",
        ),
        ({"database_url": PG, **MINIO, "broker_url": "amqp://mq.internal"}, "journeys"),
        (
            {
                "database_url": PG,
                **MINIO,
                "broker_url": "amqp://a:gF4hJ8kL@one;amqp://guest:guest@two",
            },
            "journeys",
        ),
        ({"redis_url": "redis://:redis@cache.internal/0"}, "events"),
        ({**MINIO, "files_access_key": "minioadmin", "files_secret_key": "minioadmin"}, "files"),
        ({**MINIO, "files_secret_key": "city"}, "files"),
    ],
)
def test_c7_default_password_is_refused_where_others_reach_it(
    settings: dict[str, Any], about: str
) -> None:
    (told,) = faults(choice_of(settings))

    assert told.startswith(f"{about}: ")
    assert "default" in told


@pytest.mark.parametrize(
    "settings",
    [
        {"database_url": PG_HERE},
        {"database_url": "postgresql://postgres:postgres@[::1]/city"},
        {"database_url": "postgresql://postgres:postgres@/city?host=/run/postgresql"},
        {"database_url": PG_HERE, "broker_url": RABBIT_HERE},
        {"redis_url": "redis://:redis@localhost/0"},
        {
            **S3,
            "files_endpoint": "http://127.0.0.1:9000",
            "files_access_key": "minioadmin",
            "files_secret_key": "minioadmin",
        },
    ],
)
def test_default_password_is_let_be_on_this_machine(settings: dict[str, Any]) -> None:
    assert faults(choice_of(settings)) == []


def test_files_that_travel_unencrypted_are_a_warning() -> None:
    choice = choice_of({**MINIO, "files_endpoint": "http://minio.internal:9000"})

    assert [found.level for found in choice.findings] == [Level.WARNING]


def test_where_things_are_is_told_without_a_secret() -> None:
    choice = choice_of(
        {
            "mode": "enabled",
            "database_url": "postgresql://city:gF4hJ8kL@a,b:5433/city?password=gF4hJ8kL",
            "broker_url": "amqp://u:gF4hJ8kL@mq:5672/v",
            **MINIO,
        }
    )

    assert {taking.component: taking.at for taking in choice.components} == {
        Component.STORE: "postgresql://a,b:5433/city",
        Component.JOURNEYS: "amqp://mq:5672/v",
        Component.FILES: "s3://city/of/north at https://minio.internal:9000",
        Component.EVENTS: "postgresql://a,b:5433/city",
    }
    assert "gF4hJ8kL" not in repr(choice)


def test_reason_is_the_setting_that_decided() -> None:
    choice = choice_of({**flags(store=False), **MINIO})

    assert choice.told() == (
        "store sqlite (CLOUD_READY_STORE=disabled), "
        "journeys in_process (nothing says otherwise), "
        "files object_store (CIVITAS_FILES_URL is set), "
        "events local_events (nothing says otherwise)"
    )
    assert [t.component for t in choice.components if t.cloud_ready] == [Component.FILES]


def test_refusal_lists_each_fault_with_its_remedy() -> None:
    refused = InfrastructureUnfit("enabled", choice_of({"mode": "enabled"}).findings)

    assert refused.kind is ErrorKind.CONFIGURATION
    assert len(refused.faults) == refused.detail.count("remedy: ") == 3
    assert "city doctor" in refused.hint
