"""wire(A, B, C): a dependency-injector container made from constructor annotations."""

import functools
import inspect
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_type_hints

from dependency_injector import containers, providers

from utilities.names import snake_case

Container = containers.DeclarativeContainer
Provider = providers.Provider[Any]


def wire(*classes: type) -> type[Container]:
    """A container that builds each class once, from what its constructor asks for by type.

    What is asked for and not listed becomes a dependency of the container, which the curator fills
    by type. A parameter that has a default is a value, not a dependency. Two listed classes that
    suit one parameter are left to the curator too, which reports the ambiguity.
    """
    built: dict[type, providers.Singleton[Any]] = {cls: providers.Singleton(cls) for cls in classes}
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
    made: dict[str, Provider] = {}
    for cls, provider in built.items():
        made[_free(snake_case(cls.__name__), made)] = provider
    for needed, source in needed_from_outside.items():
        made[_free(f"needs_{snake_case(getattr(needed, '__name__', str(needed)))}", made)] = source
    return type("Wired", (Container,), made)


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


def _free(name: str, taken: dict[str, Provider]) -> str:
    """The name, numbered when another class has it already."""
    return name if name not in taken else _free(f"{name}_{len(taken)}", taken)


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
