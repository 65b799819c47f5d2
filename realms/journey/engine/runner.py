"""Makes one attempt: calls a milestone's API in the run's own context, and says what came of it."""

from collections.abc import Mapping
from typing import Any, Protocol

from loguru import logger

from realms.journey.api import Failure
from realms.journey.engine import core
from realms.journey.engine.facts import AttemptFailed, MilestoneSucceeded, encode
from realms.journey.engine.plan import Node, Plan, Signatures
from realms.journey.engine.state import RunState
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.distributed_tracing import DistributedTracing


class Services(Signatures, Protocol):
    """The services of the city: what they take, and a way to call them."""

    async def call(self, service: str, api: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call an API; its answer as JSON-able data."""
        ...


class UnstorableResult(PlatformError):
    """The result of a milestone cannot be written as JSON."""

    kind = ErrorKind.INVALID


class Runner:
    """The engine's hand in the city."""

    def __init__(self, *, services: Services, tracing: DistributedTracing, clock: Clock) -> None:
        self._services = services
        self._tracing = tracing
        self._clock = clock

    async def perform(
        self, plan: Plan, run: RunState, attempt: core.Perform
    ) -> MilestoneSucceeded | AttemptFailed:
        """Call the milestone's API, under the run's trace, user and idempotency key."""
        node, path = plan.nodes[attempt.path], attempt.path
        with bound(_context(run, path)), self._span(run, node, attempt):
            try:
                arguments = core.arguments(plan, run, path)
                output = await self._services.call(node.service, node.api, arguments)
                fact = core.outcome(plan, path, attempt.attempt, output, self._clock.now())
                _check_storable(fact)
            except Exception as error:  # noqa: BLE001 - the engine's edge around a call: any failure is the run's, not the engine's
                fact = AttemptFailed(
                    at=self._clock.now(),
                    path=path,
                    attempt=attempt.attempt,
                    error=_failure(node, error),
                )
            _log(run, fact)
        return fact

    def _span(self, run: RunState, node: Node, attempt: core.Perform) -> Any:
        return self._tracing.span(
            f"milestone {node.path}",
            run.start.trace_id,
            run_id=run.run_id,
            template=run.start.template,
            api=f"{node.service}.{node.api}",
            attempt=attempt.attempt,
        )


def _context(run: RunState, path: str) -> CallContext:
    start = run.start
    user = UserContext(tenant=start.tenant, principal=start.principal, roles=start.roles)
    return CallContext(start.trace_id, user, core.idempotency_key(run, path))


def _check_storable(fact: MilestoneSucceeded | AttemptFailed) -> None:
    try:
        encode(fact)
    except TypeError as error:
        raise UnstorableResult(
            str(error), hint="answer with JSON values of at most 64 bits"
        ) from error


def _failure(node: Node, error: Exception) -> Failure:
    """What may be shown of an error; of an unexpected one only its type."""
    if isinstance(error, PlatformError):
        return core.failure_of(error)
    logger.opt(exception=error).error("{}.{} failed unexpectedly", node.service, node.api)
    return Failure(
        kind=ErrorKind.INTERNAL,
        code="unexpected_error",
        title="The service failed in a way it does not know.",
        detail=f"{node.service}.{node.api} raised {type(error).__name__}",
        hint="the log has the rest under this trace id",
    )


def _log(run: RunState, fact: MilestoneSucceeded | AttemptFailed) -> None:
    if isinstance(fact, MilestoneSucceeded):
        logger.debug("milestone {} of {} is done", fact.path, run.run_id)
    else:
        logger.warning(
            "attempt {} of milestone {} of {} failed: {}",
            fact.attempt,
            fact.path,
            run.run_id,
            fact.error.detail,
        )
