"""The container as users know it: services by their class names."""

from foundations.curator.entries import Kind
from foundations.curator.registry import NotRegistered, Registry
from utilities.suggest import did_you_mean


class DIContainer:
    """Finds foundations and services by name; injected by type like anything else."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry

    def get_foundation_service(self, name: str) -> object:
        """A foundation, such as `CuratorFoundationService`.

        Raises:
            NotRegistered: no foundation has this name.
        """
        foundations = [e.name for e in self._registry.entries() if e.kind is Kind.FOUNDATION]
        if name not in foundations:
            raise NotRegistered(
                f'no foundation is called "{name}"',
                hint=did_you_mean(name, foundations) or f"there are {', '.join(foundations)}",
            )
        return self._registry.named(name)

    def get_service(self, name: str) -> object:
        """Any registered service, role, abstraction or agent.

        Raises:
            NotRegistered: no service has this name.
        """
        return self._registry.named(name)
