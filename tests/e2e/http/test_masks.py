"""No answer, refusal or log line tells a reader what is hidden, whichever way it is asked for."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest

from tests.support.processes import Server, serving

pytestmark = pytest.mark.slow

OWNER, READER = "q7Zk2-Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx", "Tz4-8nBw2Lq9Xv6Rk1Yd5Hs3Gm7Jf0PcA"
NAMES = ["Quill", "Reedham", "Osier", "Tansy", "Yarrow", "Bracken"]
TEAM = "surname,email,birth date,account,salary,hours\n" + "".join(
    f"{NAMES[at % 6]}{at % 30},a{at}@mail.example,19{50 + at % 50}-03-1{at % 10},"
    f"{'DE89370400440532013000' if at % 2 else 'GB82WEST12345698765432'},"
    f"{'by-the-hatter' if at == 7 else 51_000 + at * 137},{at * 7 % 90 + at / 10}\n"
    for at in range(120)
)
LETTER = """Dear Ms Wilhelmina Foxglove,

the mill is sold. Questions go to miller@mail.example, and by tel 030 901820.
The price is paid to DE89 3704 0044 0532 0130 00 until March; the card 4111 1111 1111 1111 is void.
She who signs was born on 12 March 1970. Wilhelmina Foxglove turns the wheel.

Yours sincerely,
Thaddeus Oakenshield
"""
LOOKUP = """
journey_template: lookup
input: {of: string}
milestones:
  - milestone_id: found
    service: ContentStewardService
    api: process_client_file
    with: {file_id: "${input.of}"}
"""
ASKED = "miller@mail.example"
PLANTED = [
    "Quill", "Osier", "1950-03", "12 March 1970", "12 march 1970", "DE89", "GB82",
    "0532 0130", "4111 1111", "mail.example", "901820", "hatter", "51137",
    "Foxglove", "Oakenshield",
]  # fmt: skip
_ID = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-z]{26}|[0-9a-f]{16})(?![0-9a-z])"
    r"|(?<=\d)\.\d{3,}"
)
"""Ids of the city's own, and fractions of times, which may say anything."""
GONE = frozenset({"sweep_retention", "reindex", "delete_file", "end_session"})
"""What the owner does not do here, for the others would find nothing any more."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    tokens = json.dumps({"reader": READER})
    folder = tmp_path_factory.mktemp("masked")
    with serving(folder, access_token=OWNER, role_tokens=tokens) as running:
        yield running


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        client.headers["Authorization"] = f"Bearer {OWNER}"
        yield client


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        client.headers["Authorization"] = f"Bearer {READER}"
        yield client


@pytest.fixture(scope="module")
def known(owner: httpx2.Client) -> list[dict[str, Any]]:
    """What the APIs are asked with: for a table, a letter and a run that failed over a value."""
    known: list[dict[str, Any]] = []
    for name, content in ((f"of {ASKED}.csv", TEAM), ("letter.txt", LETTER)):
        known.append(mashed(owner, name, content))
    answer = owner.put("/api/journey/templates/lookup", json={"text": LOOKUP})
    assert answer.status_code == 201, answer.text
    run = owner.post(
        "/api/journey/journey_runs_service/start_run",
        json={"template": "lookup", "input": {"of": ASKED}},
    ).json()["result"]["run_id"]
    while owner.get(f"/api/journey/runs/{run}").json()["result"]["status"] == "running":
        pass
    known.append({"run_id": run, "journey_id": run, "name": "lookup", "template": "lookup"})
    for one in known:
        one["file_ids"] = [known[0]["file_id"], known[1]["file_id"]]
    return known


def mashed(client: httpx2.Client, name: str, content: str) -> dict[str, Any]:
    record = client.post("/api/files", files={"file": (name, content.encode())}).json()["result"]
    answer = client.post(
        "/api/solution/data-mash", params={"wait": "60s"}, json={"file_id": record["file_id"]}
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    semantic = told["phases"]["semantic_layer"]["milestones"]["semantic_processed"]["output"]
    return {
        "file_id": record["file_id"],
        "run_id": told["journey_id"],
        "journey_id": told["journey_id"],
        "semantic_data": semantic["semantic_data"],
        "q": "mill salary born account questions",
        "entity": "entity:phrase/mill",
        "to": "parquet",
        "name": "data_mash_flow",
        "limit": 100,
    }


def everything(client: httpx2.Client, known: Mapping[str, Any]) -> str:
    """What every operation there is answers, well or badly."""
    said = []
    spec = client.get("/openapi.json").json()
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            if method == "delete" or path.rsplit("/", 1)[-1] in GONE or path == "/api/files":
                continue
            asked = {one["name"] for one in operation.get("parameters", [])}
            answer = client.request(
                method,
                path.format_map({name: known.get(name, "none") for name in asked}),
                params={name: known[name] for name in asked & known.keys() & {"q", "entity"}},
                json=_body(spec, operation, known) if method in {"post", "put"} else None,
            )
            said.append(f"{method} {path} {answer.status_code} {answer.headers} {answer.text}")
    return "\n".join(said)


def _body(
    spec: Mapping[str, Any], operation: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    wanted = schema.get("properties", {})
    needed = dict.fromkeys(schema.get("required", ()), "none")
    return needed | {name: known[name] for name in wanted if name in known}


def leaks(said: str) -> list[str]:
    """Where something planted stands in what was said, in whichever letters."""
    return [
        f"{word}: {line[:80]} ... {line[max(0, line.find(word) - 200) : line.find(word) + 80]}"
        for line in _ID.sub("id", said).splitlines()
        for word in PLANTED
        if word in line or word.casefold() in line
    ]


def test_owner_is_told_all_that_was_planted(
    owner: httpx2.Client, known: list[dict[str, Any]]
) -> None:
    said = "".join(everything(owner, one) for one in known)

    assert [word for word in PLANTED if word not in said] == []
    assert "insights_orchestrator/compare_files 200" in said


def test_reader_is_told_nothing_of_it_by_any_operation(
    reader: httpx2.Client, known: list[dict[str, Any]]
) -> None:
    said = "".join(everything(reader, one) for one in known)

    assert leaks(said) == []
    for path in (
        "get_semantic_embeddings", "get_content_metadata", "analyze_content_for_insights",
        "compare_files", "librarian_service/search", "trace_file", "trace_finding", "get_run",
        "get_file_graph", "get_data_mash", "journey_operations_service/list_dead_letters",
    ):  # fmt: skip
        assert f"{path} 200" in said, path


def test_refusals_are_masked_for_who_may_not_see_and_plain_for_who_may(
    owner: httpx2.Client, reader: httpx2.Client, known: list[dict[str, Any]]
) -> None:
    path = "/api/knowledge/mentions?entity=entity:mail/none@mail.example"

    assert "none@mail.example" in owner.get(path).json()["detail"]
    assert "entity:mail/[mail address]" in reader.get(path).json()["detail"]


def test_log_and_terminal_tell_nothing_of_it(server: Server, known: list[dict[str, Any]]) -> None:
    said = server.log

    assert "[mail address]" in said
    assert leaks(said) == []
    assert leaks(server.stderr) == []


@pytest.mark.parametrize("mode", ["words", "meaning", "hybrid"])
@pytest.mark.parametrize(
    ("hidden", "unknown"),
    [
        ("miller@mail.example", "nobody@post.example"),
        ("DE89370400440532013000", "AT611904300234573201"),
        ("DE89", "AT61"),
        ("901820", "901835"),
        ("Wilhelmina Foxglove", "Gwendolin Harebell"),
        ("Quill0", "Grass0"),
        ("miller", "weaver"),  # in the name of the table's file
    ],
)
def test_search_for_what_is_hidden_finds_what_a_search_for_the_unknown_does(
    owner: httpx2.Client,
    reader: httpx2.Client,
    known: list[dict[str, Any]],
    mode: str,
    hidden: str,
    unknown: str,
) -> None:
    def hits(client: httpx2.Client, q: str) -> list[Any]:
        answer = client.get("/api/search", params={"q": q, "mode": mode, "limit": 20})
        return [(one["file_id"], one["number"]) for one in answer.json()["result"]["hits"]]

    assert set(hits(reader, hidden)) <= set(hits(reader, unknown))
    if mode == "words":
        assert hits(owner, hidden)


@pytest.mark.parametrize("q", ["miller", "de89", "12 m"])
def test_beginnings_of_hidden_names_are_not_told(
    owner: httpx2.Client, reader: httpx2.Client, known: list[dict[str, Any]], q: str
) -> None:
    def entities(client: httpx2.Client) -> list[Any]:
        found: list[Any] = client.get("/api/knowledge/entities", params={"q": q}).json()["result"][
            "entities"
        ]
        return found

    assert entities(owner)
    assert entities(reader) == []


def test_dead_letters_are_found_by_what_their_reader_is_shown(
    owner: httpx2.Client, reader: httpx2.Client, known: list[dict[str, Any]]
) -> None:
    path = "/api/journey/journey_operations_service/list_dead_letters"

    def found(client: httpx2.Client, error: str) -> int:
        return len(client.post(path, json={"error": error}).json()["result"]["dead_letters"])

    failed = found(owner, ASKED)
    assert known
    assert failed > 0
    assert (found(owner, ASKED[:6]), found(reader, ASKED[:6])) == (failed, 0)
    assert found(reader, ASKED) == found(reader, "nobody@mail.example") == failed


def test_hidden_entities_take_no_place_among_those_that_are_asked_for(
    owner: httpx2.Client, reader: httpx2.Client, known: list[dict[str, Any]]
) -> None:
    def entities(client: httpx2.Client, limit: int) -> list[Any]:
        answer = client.get("/api/knowledge/entities", params={"limit": limit})
        return [one["id"] for one in answer.json()["result"]["entities"]]

    seen = entities(reader, 1000)

    assert 0 < len(seen) < len(entities(owner, 1000))
    assert all(entities(reader, most) == seen[:most] for most in range(1, len(seen) + 1))


def test_vectors_are_there_but_for_passages_that_are_masked(
    owner: httpx2.Client, reader: httpx2.Client, known: list[dict[str, Any]]
) -> None:
    path = "/api/public_works/content_metadata_abstraction/get_semantic_embeddings"
    asked = {"file_id": known[1]["file_id"]}
    plain = owner.post(path, json=asked).json()["result"]["embeddings"]
    shown = reader.post(path, json=asked).json()["result"]["embeddings"]

    assert all(one["vector"] for one in plain)
    assert [one for one in shown if not one["vector"]]
    for before, after in zip(plain, shown, strict=True):
        assert after["vector"] == ([] if before["text"] != after["text"] else before["vector"])
