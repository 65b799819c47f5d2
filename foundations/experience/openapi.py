"""The OpenAPI document: the hand-made routes, and an operation for every public API."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from starlette.routing import BaseRoute

from foundations.curator.apis import Api, JsonSchema
from foundations.experience.access import OPEN_TO_ALL
from foundations.experience.edge import Answering, StrictBody, answers_of
from foundations.experience.problems import MEDIA_TYPE, Problem
from utilities.names import snake_case

_IN_DEFS, _IN_COMPONENTS = "#/$defs/", "#/components/schemas/"

PROBLEM_RESPONSE: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, as problem details (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_IN_COMPONENTS}Problem"}}},
    }
}
"""Given to every hand-made route, in place of FastAPI's own validation error."""

_SESSION = {
    "name": "X-Session-ID",
    "in": "header",
    "required": False,
    "description": "a session from TrafficCopService.open_session; none is needed",
    "schema": {"type": "string", "maxLength": 200},
}


def openapi_document(app: FastAPI, apis: Iterable[Api]) -> dict[str, Any]:
    """The document of an application as it is now."""
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    components = Components()
    schemas = document.get("components", {}).get("schemas", {})
    components.adopt_components(schemas)
    components.adopt(Problem.model_json_schema(mode="serialization"), "Problem", owner="Edge")
    _describe_routes(document, app.routes, components)
    for api in apis:
        document["paths"].setdefault(api.path, {})["post"] = _operation(api, components)
    document["components"] = {"schemas": dict(sorted(components.schemas.items()))}
    _give_examples(document)
    return document


def with_token(document: dict[str, Any]) -> dict[str, Any]:
    """The document of a city that asks for its access token, but for how it is."""
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    for path in OPEN_TO_ALL:
        for operation in document["paths"].get(path, {}).values():
            operation["security"] = []
    return document


def _describe_routes(
    document: Mapping[str, Any], routes: Sequence[BaseRoute], components: "Components"
) -> None:
    """Fill in what our hand-made routes say of their answers and bodies in a way of ours."""
    for route in iter_route_contexts(routes):
        if not isinstance(route.original_route, APIRoute):
            continue
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is None:
                continue  # it is not to be told of
            for said in answers_of(route.original_route.endpoint):
                _add_answer(operation, said, route.status_code or 200, components)
            for part in _dependencies(route.dependant):
                if isinstance(part, StrictBody):
                    operation.setdefault("requestBody", _body(part.model, components))


def _add_answer(
    operation: dict[str, Any], said: Answering, usual: int, components: "Components"
) -> None:
    status = said.status or usual
    response = operation["responses"].setdefault(str(status), {})
    response.setdefault("description", said.description or HTTPStatus(status).phrase)
    schema = _without_null_defaults(said.whole.model_json_schema(mode="serialization"))
    media = response.setdefault("content", {}).setdefault("application/json", {})
    media["schema"] = components.adopt(schema, "Answer", owner="Edge")


def _body(model: type[BaseModel], components: "Components") -> dict[str, Any]:
    schema = _without_null_defaults(model.model_json_schema())
    shown = example(schema, schema)
    if "$defs" in schema:
        schema = components.adopt(schema, "Body", owner="Edge")
    return {"required": True, "content": {"application/json": {"schema": schema, "example": shown}}}


def _dependencies(dependant: Dependant) -> Iterator[object]:
    """What a route depends on, directly or through others."""
    for inner in dependant.dependencies:
        yield inner.call
        yield from _dependencies(inner)


class Components:
    """Schemas under one roof: equal ones share a name, different ones never do."""

    def __init__(self) -> None:
        self.schemas: dict[str, JsonSchema] = {}
        self._names: dict[str, str] = {}

    def adopt(self, schema: JsonSchema, untitled: str, *, owner: str) -> JsonSchema:
        """Move a schema and its `$defs` here, under its title; a reference to it is returned."""
        bare = {key: value for key, value in schema.items() if key != "$defs"}
        definitions = schema.get("$defs", {})
        name = re.sub(r"[^A-Za-z0-9._-]", "_", bare.get("title", untitled))
        if set(bare) == {"$ref"}:
            name = bare["$ref"].removeprefix(_IN_DEFS)
            bare = definitions[name]
        renamed = self._rename(definitions, owner)
        return {"$ref": _IN_COMPONENTS + self._take(name, bare, definitions, renamed, owner)}

    def adopt_components(self, schemas: Mapping[str, JsonSchema]) -> None:
        """Take over schemas that refer to each other as components, under their own names."""
        definitions = _redirected(schemas)
        self._rename(definitions, "Edge")

    def _rename(self, definitions: Mapping[str, JsonSchema], owner: str) -> dict[str, str]:
        """A name here for each definition; then each is put under its name."""
        renamed = {n: self._name(n, d, definitions, owner) for n, d in definitions.items()}
        for name, definition in definitions.items():
            self.schemas[renamed[name]] = _pointing(definition, renamed)
        return renamed

    def _take(
        self,
        name: str,
        schema: JsonSchema,
        definitions: Mapping[str, JsonSchema],
        renamed: Mapping[str, str],
        owner: str,
    ) -> str:
        taken = self._name(name, schema, definitions, owner)
        self.schemas[taken] = _pointing(schema, renamed)
        return taken

    def _name(
        self, name: str, schema: JsonSchema, definitions: Mapping[str, JsonSchema], owner: str
    ) -> str:
        whole = {n: definitions[n] for n in sorted(_reached(schema, definitions))}
        identity = json.dumps(_without_null_defaults([name, schema, whole]), sort_keys=True)
        if identity in self._names:
            return self._names[identity]
        free = (n for n in _candidates(name, owner) if n not in self._names.values())
        return self._names.setdefault(identity, next(free))


def _operation(api: Api, components: Components) -> dict[str, Any]:
    given = components.adopt(api.input_schema, "Arguments", owner=api.service)
    answered = components.adopt(api.output_schema, "Result", owner=api.service)
    body = {"schema": given, "example": example(api.input_schema, api.input_schema)}
    outcome = {
        "type": "object",
        "required": ["success", "trace_id", "result"],
        "properties": {
            "success": {"const": True},
            "trace_id": {"type": "string"},
            "result": answered,
        },
    }
    first, _, _ = api.description.partition("\n\n")
    return {
        "operationId": f"{api.realm}__{snake_case(api.service)}__{api.name}",
        "tags": [api.realm],
        "summary": first.replace("\n", " ") or f"{api.service}.{api.name}",
        "description": api.description,
        "x-effect": api.effect.value if api.effect else "unstated",
        "parameters": [_SESSION],
        "requestBody": {
            "required": any(parameter.required for parameter in api.parameters.values()),
            "content": {"application/json": body},
        },
        "responses": {
            "200": {
                "description": "What the API answers",
                "content": {"application/json": {"schema": outcome}},
            },
            **PROBLEM_RESPONSE,
        },
    }


def _give_examples(document: dict[str, Any]) -> None:
    """Show what every good answer looks like, where its route does not do so itself."""
    whole = {"$defs": _redirected(document["components"]["schemas"])}
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    for operation in operations:
        for status, response in operation["responses"].items():
            media = response.get("content", {}).get("application/json")
            if status.startswith("2") and media and not {"example", "examples"} & set(media):
                media["example"] = example(_redirected(media["schema"]), whole)


def example(schema: JsonSchema, whole: JsonSchema, within: frozenset[str] = frozenset()) -> Any:
    """A small value that has the form a schema asks for: only what is required.

    `within` are the definitions it stands in; one that needs itself gets an empty object there.
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_IN_DEFS)
        return {} if name in within else example(whole["$defs"][name], whole, within | {name})
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example(schema[key][0], whole, within)
    return _plain_example(schema, whole, within)


def _plain_example(schema: JsonSchema, whole: JsonSchema, within: frozenset[str]) -> Any:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            wanted = schema.get("required", ())
            return {name: example(properties.get(name, {}), whole, within) for name in wanted}
        case "array":
            return []
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return False
        case "null":
            return None
        case "string":
            return {"date-time": "2026-01-31T12:00:00Z"}.get(schema.get("format", ""), "text")
        case _:
            return {}


def _candidates(name: str, owner: str) -> Iterable[str]:
    yield name
    yield f"{owner}.{name}"
    number = 2
    while True:
        yield f"{owner}.{name}.{number}"
        number += 1


def _reached(schema: Any, definitions: Mapping[str, JsonSchema]) -> set[str]:
    """The names of all definitions that a schema refers to, directly or through others."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        for reference in _references(waiting.pop()):
            name = reference.removeprefix(_IN_DEFS)
            if name not in found and name in definitions:
                found.add(name)
                waiting.append(definitions[name])
    return found


def _without_null_defaults(value: Any) -> Any:
    """A schema without what FastAPI leaves out and pydantic does not: defaults of null."""
    if isinstance(value, Mapping):
        return {
            k: _without_null_defaults(v) for k, v in value.items() if (k, v) != ("default", None)
        }
    return [_without_null_defaults(inner) for inner in value] if isinstance(value, list) else value


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _pointing(value: Any, renamed: Mapping[str, str]) -> Any:
    """A schema with its references into `$defs` turned to the components."""
    if isinstance(value, Mapping):
        return {key: _pointed(key, inner, renamed) for key, inner in value.items()}
    if isinstance(value, list):
        return [_pointing(inner, renamed) for inner in value]
    return value


def _pointed(key: str, value: Any, renamed: Mapping[str, str]) -> Any:
    if key == "$ref" and isinstance(value, str) and value.startswith(_IN_DEFS):
        return _IN_COMPONENTS + renamed[value.removeprefix(_IN_DEFS)]
    if key == "mapping" and isinstance(value, Mapping):  # of a discriminator
        return {k: _pointed("$ref", inner, renamed) for k, inner in value.items()}
    return _pointing(value, renamed)


def _redirected(value: Any) -> Any:
    """A copy whose references into the components go to `$defs` instead."""
    if isinstance(value, Mapping):
        return {key: _redirected(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redirected(inner) for inner in value]
    if isinstance(value, str) and value.startswith(_IN_COMPONENTS):
        return _IN_DEFS + value.removeprefix(_IN_COMPONENTS)
    return value
