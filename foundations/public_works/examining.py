"""Examines what the settings choose, so that nothing boots on what is missing or unfit."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loguru import logger

from foundations.public_works.cloud_ready import Choice, Component, Taken, Taking, chosen
from foundations.public_works.findings import Finding, InfrastructureUnfit, Level
from foundations.public_works.machine import (
    env_file_findings,
    folder_findings,
    host_finding,
    left_behind_findings,
    machine_findings,
    take_open_files,
)
from foundations.public_works.settings import CloudReadyMode, Settings
from foundations.public_works.threads import in_thread


@dataclass(frozen=True, slots=True)
class Examination:
    """What the settings choose, and all that was found about it and about this machine."""

    choice: Choice
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether a city would boot, and serve the address that is set."""
        return all(found.level is not Level.FAULT for found in self.findings)


async def refuse_unfit(choice: Choice, settings: Settings) -> None:
    """Let a city boot on what was chosen, and log what it took.

    Raises:
        InfrastructureUnfit: something is missing or unfit; it lists every fault.
    """
    findings = in_order(
        [
            *choice.findings,
            *await probed(choice, settings),
            *_left_behind(choice, settings),
            *env_file_findings(),
            take_open_files(),
        ]
    )
    if any(found.level is Level.FAULT for found in findings):
        raise InfrastructureUnfit(choice.mode, findings)
    for found in findings:
        if found.level is Level.WARNING:
            logger.warning("{}: {}. {}", found.about, found.detail, found.remedy)
    if choice.mode is not CloudReadyMode.DISABLED:
        logger.info("mode {}: {}", choice.mode, choice.told())


async def examined(settings: Settings) -> Examination:
    """What a city would be told at boot, and what else its owner should know; nothing is kept."""
    choice = chosen(settings)
    findings = [
        *choice.findings,
        *await probed(choice, settings),
        *_left_behind(choice, settings),
        *env_file_findings(),
        host_finding(settings),
        *await _tracing(settings),
        *folder_findings(settings),
        *machine_findings(),
    ]
    if not choice.far:
        findings += await in_thread(_sqlite, settings)
    return Examination(choice, tuple(in_order(findings)))


def _left_behind(choice: Choice, settings: Settings) -> Iterator[Finding]:
    if choice.files.cloud_ready:
        yield from left_behind_findings(settings)


async def _tracing(settings: Settings) -> list[Finding]:
    if settings.trace_export != "otlp":
        return []
    from foundations.public_works.adapters import probes

    return await in_thread(probes.probe_collector, settings.trace_endpoint)


def _sqlite(settings: Settings) -> list[Finding]:
    from foundations.public_works.adapters import sqlite_driver

    return list(sqlite_driver.sqlite_findings(settings.data_dir.expanduser().absolute()))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings part by part, those of the components first."""
    order = list(Component)
    return sorted(
        findings, key=lambda f: order.index(Component(f.about)) if f.about in order else len(order)
    )


async def probed(choice: Choice, settings: Settings) -> list[Finding]:
    """What the chosen servers say, all asked at once."""
    asked = [_probe(taking, settings) for taking in choice.components if taking.can_be_asked]
    return [found for answer in await asyncio.gather(*asked) for found in answer]


async def _probe(taking: Taking, settings: Settings) -> list[Finding]:
    from foundations.public_works.adapters import probes

    match taking.taken:
        case Taken.POSTGRESQL if settings.database_url:
            url = settings.database_url.get_secret_value()
            return await probes.probe_postgresql(taking.component, url)
        case Taken.CELERY if settings.broker_url:
            url = settings.broker_url.get_secret_value()
            return await probes.probe_broker(taking.component, url)
        case Taken.REDIS_EVENTS if settings.redis_url:
            url = settings.redis_url.get_secret_value()
            return await probes.probe_redis(taking.component, url)
        case Taken.OBJECT_STORE:
            return await probes.probe_bucket(taking.component, settings)
    return []
