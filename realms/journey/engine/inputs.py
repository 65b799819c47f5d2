"""What a run is given from outside: its input, and results that a person supplies."""

from collections.abc import Mapping
from typing import Any

from realms.journey.engine.core import broken
from realms.journey.plans.contracts import Fits
from realms.journey.plans.plan import Node, Plan, Signature
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean


class InvalidInput(PlatformError):
    """The input does not fit the journey."""

    kind = ErrorKind.INVALID


class InvalidResult(PlatformError):
    """The result does not fit the milestone."""

    kind = ErrorKind.INVALID


def checked_values(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """The run's input, defaults filled in.

    Raises:
        InvalidInput: something is missing, unknown or of the wrong shape; all of it at once.
    """
    defaults = {n: s["default"] for n, s in plan.inputs.items() if "default" in s}
    given = {**defaults, **values}
    faults = _unknown(values, plan.inputs)
    for name in plan.inputs:
        if name not in given:
            faults.append(FieldError(f"/{name}", "is missing"))
        elif problem := plan.checks[name].problem(given[name]):
            faults.append(FieldError(f"/{name}", problem))
    if faults:
        takes = ", ".join(plan.inputs) or "no input"
        raise InvalidInput(f"{plan.name} takes {takes}", errors=faults)
    return given


def checked_result(node: Node, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result that stands for the milestone's own: whole, typed, and true to its contracts.

    Raises:
        InvalidResult: with everything that is wrong.
    """
    faults = _unknown(result, node.output) if node.output else []
    for name, schema in node.output.items():
        if name not in result:
            if name in node.promised:
                faults.append(FieldError(f"/{name}", "is missing; later milestones need it"))
        elif problem := Fits(schema).problem(result[name]):
            faults.append(FieldError(f"/{name}", problem))
    if not faults:
        faults = [FieldError("", problem) for problem in broken(node.on_done, result)]
    if faults:
        detail = f"the result does not fit: {node.path} gives {', '.join(node.output)}"
        raise InvalidResult(detail, errors=faults)
    return dict(result)


def check_arguments(signature: Signature, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that an API does not take.

    Raises:
        InvalidInput: some are unknown or of the wrong shape; all of them at once.
    """
    takes = signature.parameters
    faults = _unknown(arguments, takes)
    for name, value in arguments.items():
        if name in takes and (problem := Fits(takes[name].schema).problem(value)):
            faults.append(FieldError(f"/{name}", problem))
    if faults:
        raise InvalidInput(f"{signature.api} takes {', '.join(takes)}", errors=faults)


def _unknown(given: Mapping[str, Any], known: Mapping[str, Any]) -> list[FieldError]:
    return [
        FieldError(f"/{name}", f"is not known. {did_you_mean(name, known)}".rstrip())
        for name in given
        if name not in known
    ]
