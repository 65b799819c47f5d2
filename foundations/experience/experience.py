"""The experience as a foundation: tells at which paths the city is reached."""

from foundations.declarations import service, soa_api
from foundations.experience.application import Application
from utilities.models import FrozenModel


class Operation(FrozenModel):
    """One method at one path."""

    method: str
    path: str
    summary: str


class Operations(FrozenModel):
    """Everything that is served over HTTP."""

    operations: tuple[Operation, ...]


@service
class ExperienceFoundationService:
    """Serves the city to the outside: REST, problem details, health."""

    def __init__(self, *, application: Application) -> None:
        self._application = application

    @soa_api(public=True)
    async def list_operations(self) -> Operations:
        """Every path that is served, hand-made or made from an API, as OpenAPI has it."""
        paths = self._application.asgi.openapi()["paths"]
        return Operations(
            operations=tuple(
                Operation(method=method.upper(), path=path, summary=operation.get("summary", ""))
                for path, methods in sorted(paths.items())
                for method, operation in methods.items()
            )
        )
