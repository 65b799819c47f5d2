"""wire(A, B, C): a container made from constructor annotations, of dependency-injector's providers.

Of that library only the providers are imported: with its containers comes what wires functions of
web frameworks, and with that FastAPI, which only a city that is served needs.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_type_hints

from dependency_injector import providers

from utilities.names import snake_case

Provider = providers.Provider[Any]


class Container:
    """Builds each class once, from what its constructor asks for by type.

    What is asked for and not listed becomes a dependency of the container, which the curator fills
    by type. A parameter that has a default is a value, not a dependency. Two listed classes that
    suit one parameter are left to the curator too, which reports the ambiguity.
    """

    def __init__(self, *classes: type) -> None:
        self.providers: dict[str, Provider] = {}
        built = {cls: providers.Singleton(cls) for cls in classes}
        needed_from_outside: dict[Any, Provider] = {}
        for cls, provider in built.items():
            for parameter, needed in _needs_or_nothing(cls).items():
                listed = [other for other in built if needed in other.__mro__]
                source: Provider
                if len(listed) == 1:
                    source = built[listed[0]]
                else:
                    source = needed_from_outside.setdefault(needed, providers.Dependency())
                provider.add_kwargs(**{parameter: source})
        for cls, provider in built.items():
            self._name(cls.__name__, provider)
        for needed, source in needed_from_outside.items():
            self._name(f"needs_{getattr(needed, '__name__', str(needed))}", source)

    def _name(self, name: str, provider: Provider) -> None:
        """Give a provider the name, numbered where another class has it already."""
        free = snake_case(name)
        while free in self.providers:
            free = f"{free}_{len(self.providers)}"
        self.providers[free] = provider


def wire(*classes: type) -> Callable[[], Container]:
    """What makes a container of these classes, a new one each time."""
    return functools.partial(Container, *classes)


@functools.cache
def constructor_needs(cls: type) -> Mapping[str, Any]:
    """What the constructor asks for: parameter name to annotated type, defaults left out.

    It is read once: a boot asks for each parameter.

    Raises:
        NameError: an annotation names what does not exist.
        TypeError: a parameter has no annotation.
    """
    constructor: Any = inspect.getattr_static(cls, "__init__")
    if constructor is object.__init__:
        return MappingProxyType({})
    hints = get_type_hints(constructor)
    return MappingProxyType({p.name: _annotated(cls, p, hints) for p in _asked_for(constructor)})


def _needs_or_nothing(cls: type) -> Mapping[str, Any]:
    """A faulty constructor is the curator's to report, beside all other faults."""
    try:
        return constructor_needs(cls)
    except (NameError, TypeError):
        return {}


def _asked_for(constructor: Any) -> Iterator[inspect.Parameter]:
    for parameter in list(inspect.signature(constructor).parameters.values())[1:]:
        if parameter.default is inspect.Parameter.empty and parameter.kind not in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        ):
            yield parameter


def _annotated(cls: type, parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
    if parameter.name not in hints:
        raise TypeError(f"{cls.__name__}.__init__ does not say the type of {parameter.name!r}")
    return hints[parameter.name]
