"""The OpenAPI document says what is served, and is one."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from starlette.responses import Response

from foundations.declarations import service, soa_api
from foundations.experience.edge import StrictBody, answers
from foundations.experience.openapi import Components, example
from foundations.rooms import Room
from tests.support.small_city import SmallCity


class Inner(BaseModel):
    """Another inner than that of the first service."""

    width: int


class Colour(BaseModel):
    """A colour unlike the painter's."""

    inner: Inner


class Shade(BaseModel):
    colour: Colour


@service
class ShadingService:
    @soa_api(public=True)
    async def get_shade(self, colour: Colour) -> Shade:
        """The shade of a colour.

        And more about it.
        """
        return Shade(colour=colour)


@pytest.fixture
def document(city: SmallCity) -> dict[str, Any]:
    city.registry.register(ShadingService(), Room("shading", "shading"))
    found: dict[str, Any] = city.client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_document_names_its_version_and_every_reference_leads_somewhere(
    document: dict[str, Any],
) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Civitas"
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known
    assert set(references(document)) >= {"#/components/schemas/Problem"}


def test_every_schema_is_a_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_has_an_id_of_its_own_a_summary_answers_and_problems(
    document: dict[str, Any],
) -> None:
    found = list(operations(document))
    ids = [operation["operationId"] for _, _, operation in found]

    assert len(set(ids)) == len(ids)
    for path, method, operation in found:
        assert operation["summary"], (path, method)
        assert any(status.startswith("2") for status in operation["responses"]), (path, method)
        problem = operation["responses"]["default"]["content"]["application/problem+json"]
        assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_path_parameters_are_declared(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        wanted = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert wanted == declared


routes = APIRouter()


@routes.post("/shades/{name}", summary="Mix", status_code=202)
@answers(Shade, description="It is under way")
@answers(Shade, bare=True, status=200, description="It was there")
async def mix(body: Annotated[Colour, Depends(StrictBody(Colour))], name: str) -> Response:
    return Response()


def test_answers_and_bodies_of_routes_are_told(city: SmallCity) -> None:
    city.application.asgi.include_router(routes)

    document = city.client.get("/openapi.json").json()

    operation = document["paths"]["/shades/{name}"]["post"]
    good = {status: told for status, told in operation["responses"].items() if status != "default"}
    schemas = {s: one["content"]["application/json"]["schema"] for s, one in good.items()}
    assert schemas == {
        "202": {"$ref": "#/components/schemas/Answer_Shade_"},
        "200": {"$ref": "#/components/schemas/Shade"},
    }
    assert good["200"]["description"] == "It was there"
    assert good["200"]["content"]["application/json"]["example"] == {
        "colour": {"inner": {"width": 1}}
    }
    body = operation["requestBody"]["content"]["application/json"]
    assert body["schema"]["$ref"].startswith("#/components/schemas/")
    assert body["example"] == {"inner": {"width": 1}}


@pytest.mark.parametrize("said", [answers, StrictBody])
def test_what_cannot_be_described_is_told_at_once(said: Callable[[type[BaseModel]], Any]) -> None:
    class Opaque(BaseModel):
        run: Callable[[], None]

    with pytest.raises(PydanticInvalidForJsonSchema):
        said(Opaque)


def test_public_apis_are_in_it_and_others_are_not(document: dict[str, Any]) -> None:
    paths = document["paths"]

    assert "/api/painting/painting_service/paint" in paths
    assert "/api/painting/painting_service/get_recipe" not in paths
    assert paths["/api/shading/shading_service/get_shade"]["post"]["summary"] == (
        "The shade of a colour."
    )


def test_document_is_made_once_and_again_when_a_service_joins(city: SmallCity) -> None:
    application = city.application.asgi
    first = application.openapi()
    assert application.openapi() is first

    city.registry.register(ShadingService(), Room("shading", "shading"))

    assert "/api/shading/shading_service/get_shade" in application.openapi()["paths"]


def test_equal_names_of_unequal_schemas_do_not_meet(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    colours = [name for name in schemas if name.split(".")[-1] == "Colour"]

    assert colours == ["Colour", "ShadingService.Colour"]
    assert schemas["ShadingService.Colour"]["properties"]["inner"] == {
        "$ref": "#/components/schemas/Inner"
    }
    assert "parts" in schemas["Colour"]["properties"]


def test_example_of_an_operation_fits_its_schema(document: dict[str, Any]) -> None:
    post = document["paths"]["/api/painting/painting_service/paint"]["post"]
    body = post["requestBody"]["content"]["application/json"]
    schema = {**body["schema"], "components": document["components"]}

    Draft202012Validator(schema).validate(body["example"])
    assert post["requestBody"]["required"] is True


def test_every_good_answer_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            media = response.get("content", {}).get("application/json")
            if media is None or not status.startswith("2"):
                continue
            schema = {**media["schema"], "components": document["components"]}
            assert Draft202012Validator(schema).is_valid(media["example"]), (path, method)


def test_definitions_that_differ_only_further_down_get_names_of_their_own() -> None:
    def schema(width: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"outer": {"$ref": "#/$defs/Outer"}},
            "$defs": {
                "Outer": {
                    "oneOf": [{"$ref": "#/$defs/Inner"}],
                    "discriminator": {"mapping": {"inner": "#/$defs/Inner"}},
                },
                "Inner": {"type": width},
            },
        }

    components = Components()
    first = components.adopt(schema("string"), "Thing", owner="A")
    same = components.adopt(schema("string"), "Thing", owner="B")
    other = components.adopt(schema("integer"), "Thing", owner="A")
    third = components.adopt(schema("boolean"), "Thing", owner="A")

    assert first == same == {"$ref": "#/components/schemas/Thing"}
    assert other == {"$ref": "#/components/schemas/A.Thing"}
    assert third == {"$ref": "#/components/schemas/A.Thing.2"}
    outer = components.schemas["A.Outer"]
    assert outer["discriminator"]["mapping"]["inner"] == "#/components/schemas/A.Inner"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"examples": [3, 4]}, 3),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 7}, 7),
        ({"default": "x", "type": "string"}, "x"),
        ({"anyOf": [{"type": "integer", "minimum": 5}, {"type": "null"}]}, 5),
        ({"type": "number", "exclusiveMinimum": 2}, 3),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": "array"}, []),
        ({"type": "string", "format": "date-time"}, "2026-01-31T12:00:00Z"),
        ({"type": "string"}, "text"),
        ({}, {}),
        ({"$ref": "#/$defs/Loop", "$defs": {"Loop": {"$ref": "#/$defs/Loop"}}}, {}),
    ],
)
def test_example_has_the_form_its_schema_asks_for(schema: dict[str, Any], value: Any) -> None:
    assert example(schema, schema) == value
