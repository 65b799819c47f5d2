"""The edge's own routes."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from foundations.curator.health import HealthStatus
from foundations.experience.edge import (
    StrictBody,
    TheRegistry,
    TheSettings,
    Trace,
)
from foundations.rooms import Room
from tests.support.small_city import SmallCity


def test_root_tells_what_is_where(city: SmallCity) -> None:
    links = city.client.get("/").json()["links"]

    assert links["openapi"] == "/openapi.json"
    assert city.client.get(links["alive"]).json() == {"status": "alive"}


def test_city_is_ready_when_all_are_well(city: SmallCity) -> None:
    answer = city.client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["result"]["status"] == "healthy"


def test_degraded_city_is_ready(city: SmallCity) -> None:
    city.nurse.status = HealthStatus.DEGRADED

    assert city.client.get("/readyz").status_code == 200


def test_unhealthy_city_names_the_components(city: SmallCity) -> None:
    city.nurse.status = HealthStatus.UNHEALTHY

    answer = city.client.get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.json()["components"] == [{"name": "paint", "status": "unhealthy"}]
    assert answer.headers["Retry-After"] == "5"


def test_many_who_ask_at_once_share_one_look(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        answer = city.client.get("/readyz", headers={"X-Trace-ID": f"look-{number}"})
        assert answer.json()["trace_id"] == f"look-{number}"
    assert len(city.road.requests) == 1

    monkeypatch.setattr("foundations.experience.routes.monotonic", lambda: float("inf"))
    city.nurse.status = HealthStatus.UNHEALTHY
    assert city.client.get("/readyz").status_code == 503


@pytest.mark.parametrize("what", ["services", "agents", "tools", "apis"])
def test_curator_lists_what_there_is(city: SmallCity, what: str) -> None:
    answer = city.client.get(f"/api/curator/{what}")

    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert isinstance(answer.json()["result"][what], list)


def test_services_are_found_by_pattern(city: SmallCity) -> None:
    answer = city.client.get("/api/curator/services", params={"pattern": "Paint*"})

    assert [listed["name"] for listed in answer.json()["result"]["services"]] == ["PaintingService"]


def test_graph_is_json_or_mermaid_as_the_client_likes(city: SmallCity) -> None:
    as_json = city.client.get("/api/curator/graph")
    as_text = city.client.get("/api/curator/graph", headers={"Accept": "text/plain"})

    assert as_json.json()["result"]["mermaid"] == as_text.text
    assert as_text.text.startswith("flowchart LR\n")
    assert as_text.headers["Content-Type"].startswith("text/plain")


def test_room_without_routes_is_no_fault(city: SmallCity) -> None:
    city.application.include(Room("foundations.curator", "curator"))

    assert city.registry.faults() == []


def test_routes_without_a_router_are_a_fault(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    import foundations.experience.routes

    monkeypatch.delattr(foundations.experience.routes, "router")

    city.application.include(Room("foundations.experience", "experience"))

    [fault] = city.registry.faults()
    assert fault.subject == "foundations.experience.routes"


def test_routes_of_a_room_are_served(city: SmallCity) -> None:
    city.application.include(Room("smart_city.city_manager", "smart_city"))

    answer = city.client.get("/api/city/boot")

    assert answer.json()["code"] == "not_registered"  # the route is there, its service is not


class Fence(BaseModel):
    posts: int = Field(ge=1)


router = APIRouter()


@router.post("/fences")
async def build(
    fence: Annotated[Fence, Depends(StrictBody(Fence))],
    registry: TheRegistry,
    settings: TheSettings,
    trace: Trace,
) -> dict[str, Any]:
    return {
        "posts": fence.posts,
        "registered": len(registry.entries()),
        "limit": settings.max_body_bytes,
        "sent": trace.sent,
    }


@pytest.mark.parametrize(
    ("headers", "sent"),
    [({}, False), ({"X-Trace-ID": "abc"}, True), ({"X-Trace-ID": "not one"}, False)],
)
def test_route_gets_what_it_asks_for(city: SmallCity, headers: dict[str, str], sent: bool) -> None:
    city.application.asgi.include_router(router)

    answer = city.client.post("/fences", json={"posts": 3}, headers=headers)

    assert answer.json() == {"posts": 3, "registered": 3, "limit": 100_000, "sent": sent}


def test_strict_body_of_another_form_is_pointed_at(city: SmallCity) -> None:
    city.application.asgi.include_router(router)

    answer = city.client.post("/fences", json={"posts": 0})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/posts"]
