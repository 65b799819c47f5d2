"""An API as others see it: its contract, read from the method's signature, and a way to call it."""

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from foundations.curator.described import surely_described
from foundations.declarations import FROM_CONTEXT, ApiDeclaration, Effect
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.names import snake_case

JsonSchema = dict[str, Any]

READING_VERBS = ("get", "list", "find", "search", "show", "read", "count", "describe", "check")
_READING = tuple(f"{verb}_" for verb in (*READING_VERBS, "look_up"))


class InvalidArguments(PlatformError):
    """The arguments do not fit the API."""

    kind = ErrorKind.INVALID


class BrokenPromise(PlatformError):
    """A service answered with something else than it promises."""

    kind = ErrorKind.INTERNAL


class UntypedApi(PlatformError):
    """The signature of an API is no contract."""

    kind = ErrorKind.CONFIGURATION


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an API: whether it must be given, and the JSON Schema of its values."""

    required: bool
    schema: JsonSchema


@dataclass(frozen=True)
class Contract:
    """What a signature promises, independent of any instance.

    What checks arguments and gives answers, and the JSON Schemas, are made when somebody asks: of a
    hundred APIs a boot needs a few. That they can be made is known at once.
    """

    name: str
    fields: Mapping[str, Any]
    """Each argument's type and default, as pydantic takes them."""
    answer_type: type

    @functools.cached_property
    def arguments(self) -> type[BaseModel]:
        """The model that checks arguments."""
        closed = ConfigDict(extra="forbid", frozen=True)
        return create_model(self.name, __config__=closed, **self.fields)

    @property
    def answer(self) -> TypeAdapter[Any]:
        """What gives an answer as data."""
        return _answer_adapter(self.answer_type)

    @functools.cached_property
    def input_schema(self) -> JsonSchema:
        return self.arguments.model_json_schema(mode="validation")

    @functools.cached_property
    def output_schema(self) -> JsonSchema:
        return _answer_schema(self.answer_type)

    @classmethod
    def of(cls, method: Any) -> "Contract":
        """Read the contract of a method, once for all cities that this process boots.

        Raises:
            UntypedApi: it is not async, a type is missing or unusable, or it answers with something
                that is neither a pydantic model nor a dataclass.
        """
        return _read(method)


@dataclass(frozen=True)
class Api:
    """One API of one service, ready to be called. All that no call changes is worked out once."""

    service: str
    name: str
    realm: str
    declaration: ApiDeclaration
    contract: Contract
    description: str
    method: Callable[[], Any]
    """Looks the method up, at each call: describing a class does not build it."""
    effect: Effect | None = field(init=False)
    """What a call leaves behind; None when an API that is not named for reading did not say."""
    path: str = field(init=False)
    """Where it is served: `/api/{realm}/{service}/{api}`, all in snake_case."""
    _answer_type: type = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        worked_out = {
            "effect": stated_effect(self.name, self.declaration),
            "path": f"/api/{self.realm}/{snake_case(self.service)}/{self.name}",
            "_answer_type": self.contract.answer_type,
        }
        for name, value in worked_out.items():
            object.__setattr__(self, name, value)  # frozen from here on

    @property
    def public(self) -> bool:
        return self.declaration.public

    @property
    def input_schema(self) -> JsonSchema:
        return self.contract.input_schema

    @property
    def output_schema(self) -> JsonSchema:
        return self.contract.output_schema

    @functools.cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        return _parameters(self.input_schema)

    @functools.cached_property
    def output_fields(self) -> Mapping[str, JsonSchema]:
        """Each field of the answer with its JSON Schema."""
        return _output_fields(self.output_schema)

    async def call(self, arguments: Mapping[str, object]) -> Any:
        """Validate `arguments`, call the method, and return its answer as it is.

        Raises:
            InvalidArguments: an argument is missing, unknown, or of the wrong shape.
            BrokenPromise: the answer is not of the type that the signature promises.
        """
        answer = await self.method()(**self._validated(arguments))
        if not isinstance(answer, self._answer_type):
            raise self._broken_promise(answer)
        return answer

    async def ask(self, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Call, and give the answer as JSON-able data."""
        answer = await self.method()(**self._validated(arguments))
        if not isinstance(answer, self._answer_type):
            raise self._broken_promise(answer)
        dumped: dict[str, Any] = self._dump(answer, mode="json")
        return dumped

    def dump(self, answer: object) -> dict[str, Any]:
        """An answer as JSON-able data."""
        dumped: dict[str, Any] = self._dump(answer, mode="json")
        return dumped

    @functools.cached_property
    def _check(self) -> Callable[[Any], BaseModel]:
        return self.contract.arguments.__pydantic_validator__.validate_python

    @functools.cached_property
    def _dump(self) -> Callable[..., Any]:
        return self.contract.answer.serializer.to_python

    def _broken_promise(self, answer: object) -> BrokenPromise:
        return BrokenPromise(
            f"{self.service}.{self.name} answered with {type(answer).__name__}, "
            f"it promises {self._answer_type.__name__}",
            hint="let the method return what its signature says",
        )

    def _validated(self, arguments: Mapping[str, object]) -> dict[str, Any]:
        """The arguments that were given, as the method wants them; defaults are the method's."""
        try:
            model = self._check(arguments if type(arguments) is dict else dict(arguments))
        except ValidationError as error:
            raise InvalidArguments(
                f"{self.service}.{self.name} cannot take these arguments",
                hint=f"POST {self.path} takes {', '.join(self.parameters) or 'no arguments'}",
                errors=[FieldError(_pointer(f["loc"]), f["msg"]) for f in error.errors()],
            ) from error
        values = model.__dict__
        given = model.__pydantic_fields_set__
        if len(given) == len(values):
            return values
        return {name: values[name] for name in given}


def _parameters(schema: JsonSchema) -> Mapping[str, Parameter]:
    required = set(schema.get("required", ()))
    return types.MappingProxyType(
        {
            name: Parameter(name in required, _self_contained(one, schema))
            for name, one in schema.get("properties", {}).items()
        }
    )


def _output_fields(schema: JsonSchema) -> Mapping[str, JsonSchema]:
    properties = _resolved(schema).get("properties", {})
    return types.MappingProxyType(
        {name: _self_contained(one, schema) for name, one in properties.items()}
    )


def stated_effect(name: str, declaration: ApiDeclaration) -> Effect | None:
    """The declared effect; `pure` for an API that is named for reading and says nothing."""
    if declaration.effect is None and name.startswith(_READING):
        return Effect.PURE
    return declaration.effect


@functools.cache
def _read(method: Any) -> Contract:
    if not inspect.iscoroutinefunction(inspect.unwrap(method)):
        raise UntypedApi("is not async", hint="declare it with async def")
    hints = _hints(method)
    fields, answer = _argument_fields(method, hints), _answer_type(hints)
    name = "".join(part.title() for part in method.__name__.split("_")) + "Arguments"
    contract = Contract(name, fields, answer)
    try:
        if not all(_is_plain(field, *said) for field, said in fields.items()):
            contract.input_schema  # noqa: B018 - raises where there is none
        if not surely_described(answer):
            contract.output_schema  # noqa: B018 - the same
    except (PydanticUserError, PydanticSchemaGenerationError) as error:
        raise UntypedApi(
            f"has a type without a JSON Schema: {str(error).splitlines()[0]}",
            hint="use pydantic models, dataclasses and plain types in its signature",
        ) from error
    return contract


def _hints(method: Any) -> dict[str, Any]:
    try:
        return get_type_hints(method, include_extras=True)
    except NameError as error:
        raise UntypedApi(
            f"names the unknown type {error.name!r}", hint="import that type"
        ) from error


def _argument_fields(method: Any, hints: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    fields = {}
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.name in FROM_CONTEXT:
            continue
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise UntypedApi(f"takes *{parameter.name}", hint="name and type each parameter")
        if parameter.name not in hints:
            raise UntypedApi(
                f"does not say the type of {parameter.name!r}", hint="annotate every parameter"
            )
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (hints[parameter.name], ... if required else parameter.default)
    return fields


def _is_plain(name: str, hint: Any, default: Any) -> bool:
    """Whether pydantic surely makes a field of a parameter."""
    reserved = name.startswith(("_", "model_"))
    return not reserved and not isinstance(default, FieldInfo) and surely_described(hint)


def _answer_type(hints: dict[str, Any]) -> Any:
    if "return" not in hints:
        raise UntypedApi("does not say what it answers", hint="annotate the return type")
    answer = hints["return"]
    if isinstance(answer, type) and (
        issubclass(answer, BaseModel) or dataclasses.is_dataclass(answer)
    ):
        return answer
    raise UntypedApi(f"answers with {answer!r}", hint="answer with one pydantic model or dataclass")


@functools.cache
def _answer_adapter(answer: type) -> TypeAdapter[Any]:
    """What serialises a type: made once for all APIs that give it."""
    return TypeAdapter(answer)


@functools.cache
def _answer_schema(answer: type) -> JsonSchema:
    return _answer_adapter(answer).json_schema(mode="serialization")


def _resolved(schema: JsonSchema) -> JsonSchema:
    """The object a top-level `$ref` stands for."""
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        resolved: JsonSchema = schema["$defs"][reference.removeprefix("#/$defs/")]
        return resolved
    return schema


def _self_contained(schema: JsonSchema, whole: JsonSchema) -> JsonSchema:
    """A part of a schema that can be used alone: with the definitions it may refer to."""
    return {**schema, "$defs": whole["$defs"]} if "$defs" in whole else schema


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)
