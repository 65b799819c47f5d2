"""Spelling of names: CamelCase classes as snake_case words."""

import re

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """`APIGatewayService` becomes `api_gateway_service`."""
    return _BOUNDARY.sub("_", name).lower()
