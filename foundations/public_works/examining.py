"""Examines what the settings choose, so that nothing boots on what is missing or unfit."""

import asyncio
from collections.abc import Iterable

from loguru import logger

from foundations.public_works.cloud_ready import Choice, Component, Taken, Taking
from foundations.public_works.findings import CloudNotReady, Finding, Level
from foundations.public_works.settings import CloudReadyMode, Settings


async def refuse_unfit(choice: Choice, settings: Settings) -> None:
    """Let a city boot on what was chosen, and log what it took.

    Raises:
        CloudNotReady: something is missing or unfit; it lists every fault.
    """
    findings = in_order([*choice.findings, *await probed(choice, settings)])
    if any(found.level is Level.FAULT for found in findings):
        raise CloudNotReady(choice.mode, findings)
    for found in findings:
        if found.level is Level.WARNING:
            logger.warning("{}: {}. {}", found.about, found.detail, found.remedy)
    if choice.mode is not CloudReadyMode.DISABLED:
        logger.info("mode {}: {}", choice.mode, choice.told())


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
