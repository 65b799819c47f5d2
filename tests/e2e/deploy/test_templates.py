"""The files under templates/deploy: sound by their schemas, and true of this program."""

import json
import re
import shutil
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import typer

from foundations.experience.access import OPEN_TO_ALL
from foundations.experience.command_line import application
from foundations.experience.exit_codes import exit_code
from foundations.public_works.cloud_ready import Taken, chosen
from foundations.public_works.findings import Level
from foundations.public_works.settings import FaultySettings, Settings, variable
from tests.support import deploying
from tests.support.deploying import DEPLOY, EVERY_WAY, Started
from tests.support.processes import ROOT

ALL = [
    pytest.param(started, id=f"{way}-{started.role}")
    for way, every in EVERY_WAY.items()
    for started in every()
]


@pytest.mark.parametrize("way", EVERY_WAY)
def test_each_way_starts_one_server_two_workers_and_a_scheduler(way: str) -> None:
    replicas = {started.role: started.replicas for started in EVERY_WAY[way]()}

    assert replicas.keys() == {"serve", "worker", "scheduler"}
    assert replicas["worker"] == 2


@pytest.mark.parametrize("started", ALL)
def test_each_command_is_one_of_this_program(started: Started) -> None:
    command: Any = typer.main.get_command(application())

    name, sub, rest = command.resolve_command(typer.Context(command), list(started.words))

    assert name == started.role
    sub.make_context(name, rest)


@pytest.mark.parametrize("started", ALL)
def test_each_environment_chooses_servers_and_has_no_fault(
    started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)

    settings = Settings.load()  # refuses names that are no settings
    choice = chosen(settings)

    assert [f for f in choice.findings if f.level is Level.FAULT] == []
    assert (choice.store.taken, choice.journeys.taken) == (Taken.POSTGRESQL, Taken.CELERY)
    assert choice.events.taken is Taken.POSTGRESQL_EVENTS
    assert started.environment.keys() <= {variable(name) for name in Settings.model_fields}


@pytest.mark.parametrize("started", ALL)
def test_nothing_is_started_before_its_secrets_are_filled_in(
    started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As it is shipped, a city refuses to boot: no password stands in any file."""
    text = deployed_text()
    assert not [secret for secret in deploying.SECRETS.values() if secret in text]
    monkeypatch.chdir(tmp_path)
    for name, value in started.environment.items():
        monkeypatch.setenv(name, "" if name in deploying.SECRETS else value)

    choice = chosen(Settings.load())

    assert [f for f in choice.findings if f.level is Level.FAULT]


def test_compose_refuses_what_is_not_filled_in() -> None:
    """Every secret is asked for as `${NAME:?}`, and the example names each, empty."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    example = (DEPLOY / "compose.env.example").read_text("utf-8")

    assert set(re.findall(r"\$\{?(\w+)", text)) == asked
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == asked


def test_compose_file_keeps_to_the_specification() -> None:
    schemas = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text("utf-8"))

    jsonschema.Draft202012Validator(schema).validate(deploying.compose())


def test_compose_services_wait_for_servers_that_are_well() -> None:
    services = deploying.compose()["services"]

    for name in deploying.ROLES:
        waits = services[name]["depends_on"]
        assert {server: how["condition"] for server, how in waits.items()} == {
            "postgres": "service_healthy",
            "rabbitmq": "service_healthy",
        }
        assert services[name]["restart"] == "always"
    for server in ("postgres", "rabbitmq"):
        assert services[server]["healthcheck"]["test"][0] == "CMD"
        assert services[server]["volumes"]


def test_stop_gives_more_time_than_a_process_takes_to_drain() -> None:
    drain = Settings.model_fields["drain_seconds"].default
    composed = [deploying.compose()["services"][r]["stop_grace_period"] for r in deploying.ROLES]
    units = [u["TimeoutStopSec"][0] for u in deploying.units().values() if "ExecStart" in u]
    pods = [
        manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for manifest in deploying.manifests()
        if manifest["kind"] == "Deployment"
    ]

    assert [int(str(given).rstrip("s")) > drain + 10 for given in composed + units + pods] == [
        True
    ] * 9


def test_manifests_keep_to_the_schemas_of_kubernetes() -> None:
    for manifest in deploying.manifests():
        kubernetes_validate.validate(manifest, "1.30", strict=True)


def test_probes_and_services_lead_to_routes_that_need_no_token() -> None:
    text = (DEPLOY / "kubernetes" / "serve.yaml").read_text("utf-8") + deploying.dockerfile()
    paths = {*re.findall(r"path: (/\w+)", text), *re.findall(r"8000(/\w+)'", text)}
    port = deploying.image()["CIVITAS_PORT"]

    assert paths == set(OPEN_TO_ALL)
    assert set(re.findall(r"(?:containerPort: |EXPOSE |127\.0\.0\.1:)(\d+)", text)) == {port}
    assert deploying.compose()["services"]["serve"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_selectors_find_what_they_are_for() -> None:
    found = list(deploying.manifests())
    labels = [
        m["spec"]["template"]["metadata"]["labels"] for m in found if m["kind"] == "Deployment"
    ]
    for manifest in found:
        selector = manifest.get("spec", {}).get("selector")
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert sum(wanted.items() <= one.items() for one in labels) == 1, manifest["metadata"]


def test_containers_are_nobody_and_write_only_where_they_must() -> None:
    user = re.findall(r"^USER (\d+)", deploying.dockerfile(), re.MULTILINE)
    for manifest in deploying.manifests():
        if manifest["kind"] == "Deployment":
            pod = manifest["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            assert pod["securityContext"]["runAsNonRoot"]
            assert [str(pod["securityContext"]["runAsUser"])] == user
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert {m["mountPath"] for m in container["volumeMounts"]} == {
                deploying.image()["CIVITAS_DATA_DIR"],
                "/tmp",
            }
    for name in deploying.ROLES:
        assert deploying.compose()["services"][name]["read_only"]


def test_image_has_the_version_of_this_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    images = [m.group() for m in re.finditer(r"civitas:[\d.]+", deployed_text())]

    assert set(images) == {f"civitas:{project['version']}"}
    assert len(images) >= 5


def deployed_text() -> str:
    return "".join(p.read_text("utf-8") for p in sorted(DEPLOY.rglob("*")) if p.is_file())


def test_image_is_built_of_what_is_there() -> None:
    """Each path that is copied from the checkout exists, and is let through to the build."""
    let_through = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", deploying.dockerfile(), re.MULTILINE)
        for word in line.split()[:-1]
    ]

    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert f"!{path}" in let_through


def test_units_start_again_whatever_ended_them() -> None:
    """A worker that boots while the database is away exits with the code of a faulty setting."""
    assert exit_code(FaultySettings("x")) == 78
    for name, unit in deploying.units().items():
        if name.endswith(".service"):
            assert unit["Restart"] == ["always"]
            assert unit["StartLimitIntervalSec"] == ["0"]
            assert "RestartPreventExitStatus" not in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_units_are_sound_by_systemd_itself(tmp_path: Path) -> None:
    folder = deploying.written(tmp_path)
    names = ["civitas-serve.service", "civitas-worker@1.service", "civitas-scheduler.service"]
    command = ["systemd-analyze", "verify", "--man=no"]

    found = subprocess.run(
        [*command, *(str(folder / name) for name in (*names, "civitas.target"))],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in found.stderr.splitlines() if "civitas" in line]
    assert (found.returncode, ours) == (0, [])
