"""The edge's own routes."""

import pytest

from foundations.curator.health import HealthStatus
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
