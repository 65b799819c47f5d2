"""What the files under `templates/deploy` start: each process with its command and environment."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.processes import ROOT

DEPLOY = ROOT / "templates" / "deploy"
ROLES = ("serve", "worker", "scheduler")
SECRETS = {
    "POSTGRES_PASSWORD": "x4Tq9ZrB7mKc2VhL",
    "RABBITMQ_PASSWORD": "p8WnD3sYf6GjU5eA",
    "CIVITAS_ACCESS_TOKEN": "kR7vX2mQ9tB4nL6wZ8cJ3hF5yD1gS0pA",
    "CIVITAS_DATABASE_URL": "postgresql://city:x4Tq9ZrB7mKc2VhL@db.internal/city",
    "CIVITAS_BROKER_URL": "amqp://city:p8WnD3sYf6GjU5eA@mq.internal/city",
    "CIVITAS_FILES_ACCESS_KEY": "k2Lw8Rz5Vb1N",
    "CIVITAS_FILES_SECRET_KEY": "a9Hf3Mq7Xt6Jp4Ks",
}
"""What a user fills in, here."""
_ON_THIS_HOST = {
    "CIVITAS_DATABASE_URL": "postgresql://city:x4Tq9ZrB7mKc2VhL@127.0.0.1/city",
    "CIVITAS_BROKER_URL": "amqp://city:p8WnD3sYf6GjU5eA@127.0.0.1/city",
}


@dataclass(frozen=True, slots=True)
class Started:
    """One kind of process: its words after `civitas`, and what it finds in its environment."""

    role: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    replicas: int = 1


def image() -> Mapping[str, str]:
    """The environment that the image gives."""
    text = dockerfile().replace("\\\n", " ")
    lines = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    pairs = [word.split("=", 1) for line in lines for word in line.split()]
    return {name: value for name, value in pairs if name != "PATH"}


def dockerfile() -> str:
    return (DEPLOY / "Dockerfile").read_text("utf-8")


def compose() -> dict[str, Any]:
    """The compose file as it is written, with nothing filled in."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return read


def composed() -> list[Started]:
    """What `docker compose up` starts of the city."""
    services = {name: s for name, s in compose()["services"].items() if name in ROLES}
    return [
        Started(
            name,
            tuple(service["command"]),
            {**image(), **{n: filled(str(v)) for n, v in service["environment"].items()}},
            int(service["deploy"].get("replicas", 1)),
        )
        for name, service in services.items()
    ]


def filled(text: str) -> str:
    """With `${NAME:?why}` replaced as compose does it."""
    return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], text)


def units() -> dict[str, dict[str, list[str]]]:
    """The settings of each systemd unit; one may stand several times."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted((DEPLOY / "systemd").glob("*.*")):
        if path.suffix not in {".service", ".target"}:
            continue
        settings: dict[str, list[str]] = {}
        for line in path.read_text("utf-8").splitlines():
            if line and line[0] not in "#[":
                name, _, value = line.partition("=")
                settings.setdefault(name, []).append(value)
        found[path.name] = settings
    return found


def by_systemd() -> list[Started]:
    """What `systemctl start civitas.target` starts."""
    (wanted,) = units()["civitas.target"]["Wants"]
    names = [re.sub(r"@\w+\.", "@.", name) for name in wanted.split()]
    given = env_example("systemd/civitas.env.example", _ON_THIS_HOST)
    started: list[Started] = []
    for name in dict.fromkeys(names):
        unit = units()[name]
        words = shlex.split(unit["ExecStart"][0])[1:]
        own = dict(pair.split("=", 1) for pair in unit["Environment"])
        started.append(Started(words[0], tuple(words), {**given, **own}, names.count(name)))
    return started


def env_example(name: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An example of an environment file, with its empty values filled in."""
    lines = (DEPLOY / name).read_text("utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    secrets = {**SECRETS, **(more or {})}
    return {name: value or secrets[name] for name, value in pairs}


def manifests() -> Iterator[dict[str, Any]]:
    """Every object of the Kubernetes manifests."""
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text("utf-8"))


def in_kubernetes() -> list[Started]:
    """What the deployments start."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for manifest in manifests():
        kinds.setdefault(manifest["kind"], []).append(manifest)
    (config,), (secret,) = kinds["ConfigMap"], kinds["Secret"]
    kept = {name: value or SECRETS[name] for name, value in secret["stringData"].items()}
    return [
        Started(
            container["name"],
            tuple(container["args"]),
            {**image(), **config["data"], **kept},
            deployment["spec"]["replicas"],
        )
        for deployment in kinds["Deployment"]
        for container in deployment["spec"]["template"]["spec"]["containers"]
    ]


EVERY_WAY = {"compose": composed, "systemd": by_systemd, "kubernetes": in_kubernetes}


def written(folder: Path) -> Path:
    """The units as an administrator puts them, for a machine that has no city."""
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text("utf-8").replace("/srv/civitas/bin/civitas", "/bin/true")
        (folder / path.name).write_text(text.replace("/etc/civitas", str(folder)))
    (folder / "civitas.env").touch()
    return folder
