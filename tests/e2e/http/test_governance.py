"""Who may see a class of data sees it plainly, everyone else a mask, wherever answers leave."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.oracle import check_problem
from tests.support.processes import Server, civitas, serving

pytestmark = pytest.mark.slow

OWNER, READER, MEMBER, APPROVER = (
    "q7Zk2-Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx",
    "Tz4-8nBw2Lq9Xv6Rk1Yd5Hs3Gm7Jf0PcA",
    "Lm8-1xQv5Zr2Wk9Nd4Tb7Yh3Fs6Gj0CpE",
    "Rv3-6yHt9Ck2Mx8Pb5Wd1Qf7Zn4Jg0LsU",
)
NAMES = ["Quill", "Reedham", "Osier", "Tansy", "Yarrow", "Bracken"]
PEOPLE = "full name,email,birth date,account,city,spent\n" + "".join(
    f"Ada {NAMES[at % 6]}{at},a{at}@mail.example,19{50 + at % 50}-03-1{at % 10},"
    f"{'DE89370400440532013000' if at % 2 else 'GB82WEST12345698765432'},"
    f"{'Ulm' if at % 3 else 'Bern'},{at * 7 % 90 + at / 10}\n"
    for at in range(120)
)
LETTER = """Dear all,

the mill is sold. Questions go to miller@mail.example, and by tel 030 901820.
The price is paid to DE89 3704 0044 0532 0130 00 until March; the card 4111 1111 1111 1111 is void.
She who signs was born on 12 March 1970. The server is 192.168.10.7, and the wheel turns.
"""
CANARIES = {
    "identity": ["Ada Quill", "Ada Osier", "1950-03", "1951-03", "12 March 1970", "12 march 1970"],
    "financial": ["DE89", "GB82", "de89", "0532 0130", "4111 1111"],
    "contact": ["@mail.example", "901820"],
    "network": ["192.168.10.7"],
}
ALL = [word for words in CANARIES.values() for word in words]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    tokens = json.dumps({"reader": READER, "member": MEMBER, "approver": APPROVER})
    folder = tmp_path_factory.mktemp("governed")
    with serving(folder, access_token=OWNER, role_tokens=tokens) as running:
        yield running


def as_bearer(server: Server, token: str) -> httpx2.Client:
    client = server.client()
    client.headers["Authorization"] = f"Bearer {token}"
    return client


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[httpx2.Client]:
    with as_bearer(server, OWNER) as client:
        yield client


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[httpx2.Client]:
    with as_bearer(server, READER) as client:
        yield client


def mashed(client: httpx2.Client, name: str, content: str) -> dict[str, Any]:
    record = client.post("/api/files", files={"file": (name, content.encode())}).json()["result"]
    answer = client.post(
        "/api/solution/data-mash", params={"wait": "60s"}, json={"file_id": record["file_id"]}
    )
    assert answer.status_code == 200, answer.text
    return {**record, **answer.json()}


@pytest.fixture(scope="module")
def people(owner: httpx2.Client) -> dict[str, Any]:
    return mashed(owner, "people.csv", PEOPLE)


@pytest.fixture(scope="module")
def letter(owner: httpx2.Client) -> dict[str, Any]:
    return mashed(owner, "letter.txt", LETTER)


def every_answer(client: httpx2.Client, mash: dict[str, Any]) -> str:
    """All that the city says of a file, by every door there is."""
    file_id, journey = mash["file_id"], mash["journey_id"]
    semantic = mash["phases"]["semantic_layer"]["milestones"]["semantic_processed"]["output"]
    said = [
        client.get(path).text
        for path in (
            f"/api/files/{file_id}",
            f"/api/solution/data-mash/{journey}",
            f"/api/journey/runs/{journey}",
            f"/api/journey/runs/{journey}/history",
            f"/api/data/files/{file_id}/classes",
            f"/api/data/files/{file_id}/quality",
            f"/api/solution/lineage/files/{file_id}",
            f"/api/knowledge/files/{file_id}",
            "/api/knowledge/entities?limit=100",
            *(f"/api/solution/lineage/findings/{journey}?number={n}" for n in (1, 2, 3)),
            "/api/search?limit=50&q=mill questions card born server",
            "/api/search?limit=50&q=ada quill city ulm account email",
            "/api/search?limit=50&q=column people most often",
        )
    ]
    for room, service, api, arguments in (
        ("business_enablement", "insights_orchestrator", "analyze_content_for_insights",
         {"file_id": file_id, "semantic_data": semantic["semantic_data"]}),
        ("public_works", "content_metadata_abstraction", "get_content_metadata",
         {"file_id": file_id}),
        ("public_works", "content_metadata_abstraction", "get_semantic_embeddings",
         {"file_id": file_id, "limit": 200}),
        ("smart_city", "librarian_service", "search", {"q": "ada mill account", "limit": 50}),
    ):  # fmt: skip
        answer = client.post(f"/api/{room}/{service}/{api}", json=arguments)
        assert answer.status_code == 200, answer.text
        said.append(answer.text)
    return "\n".join(said)


def test_owner_sees_everything_plainly(
    owner: httpx2.Client, people: dict[str, Any], letter: dict[str, Any]
) -> None:
    said = every_answer(owner, people) + every_answer(owner, letter)

    for word in ALL:
        assert word in said, word
    assert "[mail address]" not in said


def test_reader_sees_no_personal_data_anywhere(
    reader: httpx2.Client, people: dict[str, Any], letter: dict[str, Any]
) -> None:
    said = every_answer(reader, people) + every_answer(reader, letter)

    assert [word for word in ALL if word in said] == []
    assert "[mail address]" in said
    assert "[iban]" in said
    assert "the mill is sold" in said
    assert '"spent"' in said


def test_role_that_may_see_some_classes_sees_those(
    server: Server, people: dict[str, Any], letter: dict[str, Any]
) -> None:
    with as_bearer(server, MEMBER) as member:
        said = every_answer(member, people) + every_answer(member, letter)

    for word in CANARIES["contact"] + CANARIES["network"]:
        assert word in said, word
    hidden = CANARIES["identity"] + CANARIES["financial"]
    assert [word for word in hidden if word in said] == []


ASKED = """\
journey_template: sale_agreed
input: {letter: string}
milestones:
  - {milestone_id: noted, emit: sale_noted, with: {letter: "${input.letter}"}}
  - milestone_id: agreed
    ask: {form: {type: object, required: [reply], properties: {reply: {type: string}}}}
  - {milestone_id: paid, wait_for: paid}
"""


def test_history_of_a_run_masks_what_was_given_answered_signalled_and_noted(
    owner: httpx2.Client, reader: httpx2.Client
) -> None:
    put = owner.put("/api/journey/templates/sale_agreed", json={"text": ASKED})
    assert put.status_code == 201, put.text
    began = owner.post(
        "/api/journey/runs",
        json={"template": "sale_agreed", "input": {"letter": "write to miller@mail.example"}},
    ).json()["result"]
    path = f"/api/journey/runs/{began['run_id']}"
    wait_id = asked(owner, path)
    reply = "to DE89 3704 0044 0532 0130 00, or call by tel 030 901820"
    for verb, body in (
        ("answer", {"wait_id": wait_id, "answer": {"reply": 5, "why": "a5@mail.example asks"}}),
        ("answer", {"wait_id": wait_id, "answer": {"reply": reply}}),
        ("signal", {"signal": "paid", "data": {"card": "4111 1111 1111 1111"}}),
        ("rerun", {"milestone_id": "paid", "note": "a6@mail.example did not see it"}),
        ("cancel", {"note": "the buyer, a7@mail.example, withdrew"}),
    ):
        answer = owner.post(f"{path}/{verb}", json=body)
        assert answer.status_code in {200, 422}, answer.text

    plain, masked = (client.get(f"{path}/history").json()["result"] for client in (owner, reader))
    by_the_service = reader.post(
        "/api/journey/journey_runs_service/get_run_history", json={"run_id": began["run_id"]}
    ).json()["result"]

    told = json.dumps(plain)
    for canary in ("miller@", "DE89", "4111 1111", "901820", "a6@mail.example", "a7@mail.example"):
        assert canary in told
    hidden = json.dumps(masked)
    assert [canary for canary in ALL if canary in hidden] == []
    assert by_the_service == masked
    kinds = [(e["number"], e["kind"], e["milestone"], e["principal"]) for e in plain["events"]]
    assert kinds == [
        (e["number"], e["kind"], e["milestone"], e["principal"]) for e in masked["events"]
    ]


def test_who_is_asked_may_answer_and_change_nothing_else(
    owner: httpx2.Client, reader: httpx2.Client, server: Server
) -> None:
    text = ASKED.replace("sale_agreed", "sale_approved").replace(
        "ask: {", "ask: {role: approver, push_back_to: noted, "
    )
    assert owner.put("/api/journey/templates/sale_approved", json={"text": text}).is_success
    start = {"template": "sale_approved", "input": {"letter": "write to miller@mail.example"}}
    began = owner.post("/api/journey/runs", json=start).json()["result"]
    path = f"/api/journey/runs/{began['run_id']}"
    answer = {"wait_id": asked(owner, path), "answer": {"reply": "yes"}}

    with as_bearer(server, APPROVER) as approver, as_bearer(server, MEMBER) as member:
        refused = [
            member.post(f"{path}/answer", json=answer),
            reader.post(f"{path}/answer", json=answer),
            approver.post("/api/journey/runs", json=start),
            approver.post(f"{path}/cancel", json={}),
            approver.post(f"{path}/skip", json={"milestone_id": "agreed", "result": {}}),
        ]
        seen = approver.get("/api/journey/questions").json()["result"]["questions"]
        back = {"wait_id": answer["wait_id"], "push_back": True}
        pushed = approver.post(f"{path}/answer", json=back)
        again = {"wait_id": asked(owner, path), "answer": {"reply": "yes"}}
        answered = approver.post(f"{path}/answer", json=again)

    assert [refusal.status_code for refusal in refused] == [403] * 5
    assert answer["wait_id"] in [question["wait_id"] for question in seen]
    assert pushed.status_code == answered.status_code == 200
    assert "miller@" not in answered.text


def asked(client: httpx2.Client, path: str) -> str:
    """The question of a run, once it is asked."""
    for _ in range(200):
        questions = client.get(path).json()["result"]["questions"]
        if questions:
            return str(questions[0]["wait_id"])
        time.sleep(0.02)
    raise AssertionError(f"{path} asks nothing")


def test_classes_tell_columns_passages_and_retention(
    owner: httpx2.Client, people: dict[str, Any], letter: dict[str, Any]
) -> None:
    told = owner.get(f"/api/data/files/{people['file_id']}/classes").json()["result"]
    columns = {(one["column"], one["detector"]) for one in told["findings"] if one["table"]}
    of_letter = owner.get(f"/api/data/files/{letter['file_id']}/classes").json()["result"]
    page = owner.get("/api/data/retention").json()["result"]["files"]

    assert columns == {
        ("full name", "person_name"), ("email", "mail_address"), ("birth date", "birth_date"),
        ("account", "iban"),
    }  # fmt: skip
    assert told["classes"] == ["contact", "financial", "identity"]
    assert told["classification"] == "restricted"
    assert {one["detector"] for one in of_letter["findings"]} == {
        "mail_address", "local_phone_number", "iban", "payment_card", "birth_date", "ip_address",
    }  # fmt: skip
    assert [one["file_id"] for one in page] == [letter["file_id"], people["file_id"]]
    assert owner.get("/api/data/retention?due=true").json()["result"]["files"] == []


def test_files_whose_retention_has_ended_are_told_and_removed_by_who_may(
    server: Server, owner: httpx2.Client, reader: httpx2.Client, people: dict[str, Any]
) -> None:
    nothing: dict[str, Any] = {"unused": [], "used": []}

    assert owner.get("/api/solution/retention").json()["result"] == {"removed": False} | nothing
    check_problem(reader.post("/api/solution/retention/sweep"), 403, "access_denied")
    with as_bearer(server, MEMBER) as member:
        check_problem(member.post("/api/solution/retention/sweep"), 403, "not_their_sweep")
    check_problem(owner.post("/api/solution/retention/sweep", json={"dry_run": True}), 422)
    swept = owner.post("/api/solution/retention/sweep").json()["result"]
    assert swept == {"removed": True} | nothing
    assert owner.get("/api/data/removals").json()["result"] == {"removals": []}
    assert owner.get(f"/api/files/{people['file_id']}").is_success


def test_bytes_are_for_those_who_may_see_all_that_is_in_them(
    owner: httpx2.Client, reader: httpx2.Client, letter: dict[str, Any]
) -> None:
    path = f"/api/files/{letter['file_id']}/content"
    plain = owner.post("/api/files", files={"file": ("plain.txt", b"The wheel turns.")}).json()
    unseen = f"/api/files/{plain['result']['file_id']}/content"

    assert owner.get(path).text == LETTER
    problem = check_problem(reader.get(path), 403, "data_hidden")
    assert "contact, financial, identity, network data" in problem["detail"]
    check_problem(reader.get(unseen), 403, "data_hidden")
    mashed(owner, "plain.txt", "The wheel turns.")


def test_reader_may_change_nothing(reader: httpx2.Client, letter: dict[str, Any]) -> None:
    check_problem(
        reader.post("/api/files", files={"file": ("a.txt", b"The mill.")}), 403, "access_denied"
    )
    check_problem(
        reader.post("/api/solution/data-mash", json={"file_id": letter["file_id"]}),
        403,
        "access_denied",
    )


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_exports_of_a_member_are_masked(server: Server, tmp_path: Path, form: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE)
    letter = tmp_path / "letter.txt"
    letter.write_text(LETTER)
    hidden = CANARIES["identity"] + CANARIES["financial"]

    reports = {
        token: civitas(
            "mash", file, letter, "--format", form, "--data-dir", server.data_dir,
            environment={"CIVITAS_ACCESS_TOKEN": token},
        )
        for token in (OWNER, MEMBER)
    }  # fmt: skip

    for report in reports.values():
        assert report.returncode == 0, report.stderr
    assert [word for word in hidden if word in reports[MEMBER].stdout] == []
    assert "@mail.example" in reports[MEMBER].stdout
    assert "DE89" in reports[OWNER].stdout


def test_lineage_leads_from_a_file_to_its_findings_and_back(
    server: Server, owner: httpx2.Client, people: dict[str, Any]
) -> None:
    file_id, journey = people["file_id"], people["journey_id"]
    told = owner.get(f"/api/solution/lineage/files/{file_id}").json()["result"]
    found = owner.get(f"/api/solution/lineage/findings/{journey}?number=2").json()["result"]
    shown = owner.get(f"/api/solution/data-mash/{journey}").json()
    insights = shown["phases"]["insights"]["milestones"]["insights_generated"]["output"]
    second = insights["insights_result"]["insights"][1]
    (run,), (parsed,), (content,) = told["runs"], told["parsed"], told["content"]

    assert told["file"]["sha256"] == people["sha256"] == parsed["sha256"]
    assert parsed["tables"] == ["people"]
    assert parsed["passages"] == content["vectors"] == told["indexed"][0]["passages"]
    assert (run["journey_id"], run["template"]) == (journey, "data_mash_flow")
    assert [one["milestone_id"] for one in run["milestones"]] == [
        "file_uploaded", "file_parsed", "semantic_processed", "insights_generated",
    ]  # fmt: skip
    assert run["findings"] == len(insights["insights_result"]["insights"])
    assert found["finding"] == second
    assert found["file"] == told["file"]
    assert found["run"] == run
    milestone = found["milestone"]
    assert (milestone["service"], milestone["api"], milestone["attempt"], milestone["status"]) == (
        "InsightsOrchestrator", "analyze_content_for_insights", 1, "succeeded",
    )  # fmt: skip
    assert milestone["service_version"]


def test_finding_that_is_not_there_is_told(owner: httpx2.Client, people: dict[str, Any]) -> None:
    path = f"/api/solution/lineage/findings/{people['journey_id']}"

    check_problem(owner.get(f"{path}?number=999"), 404, "no_such_finding")
    check_problem(owner.get(f"{path}?number=0"), 422)
    check_problem(owner.get("/api/solution/lineage/findings/none"), 404, "unknown_run")
    check_problem(owner.get("/api/solution/lineage/files/none"), 404, "file_unknown")


def test_file_that_was_not_mashed_has_led_to_nothing_yet(owner: httpx2.Client) -> None:
    record = owner.post("/api/files", files={"file": ("new.txt", b"A new wheel.")}).json()["result"]
    told = owner.get(f"/api/solution/lineage/files/{record['file_id']}").json()["result"]

    assert [told[part] for part in ("parsed", "content", "indexed", "quality", "runs")] == [[]] * 5
    check_problem(owner.get(f"/api/data/files/{record['file_id']}/classes"), 404, "content_unseen")
    check_problem(owner.get(f"/api/data/files/{record['file_id']}/quality"), 404, "quality_unknown")


def test_commands_tell_policy_classes_quality_and_lineage(
    server: Server, people: dict[str, Any]
) -> None:
    def told(*arguments: str) -> str:
        done = civitas(
            *arguments, "--data-dir", server.data_dir,
            environment={"CIVITAS_ACCESS_TOKEN": OWNER, "COLUMNS": "200"},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    file_id, journey = people["file_id"], people["journey_id"]

    assert "owner data_steward" in told("policy", "show")
    assert "column account of people" in told("data", "classes", file_id)
    assert "100 of 100" in told("data", "quality", file_id)
    assert file_id in told("data", "retention")
    for word in ("show", "sweep"):
        assert "no file's retention has ended" in told("retention", word)
    assert "nothing was removed" in told("retention", "removed")
    assert "InsightsOrchestrator.analyze_content_for_insights" in told("lineage", "file", file_id)
    assert people["sha256"] in told("lineage", "finding", journey, "--number", "2")
    for arguments in (
        ("policy", "show"), ("data", "classes", file_id), ("data", "quality", file_id),
        ("data", "retention"), ("retention", "show"), ("retention", "sweep"),
        ("retention", "removed"), ("lineage", "file", file_id), ("lineage", "finding", journey),
    ):  # fmt: skip
        assert json.loads(told(*arguments, "--json"))


CONVERT = "/api/business_enablement/content_analysis_orchestrator/convert_file"


def test_table_is_converted_where_nothing_is_lost(
    server: Server, owner: httpx2.Client, people: dict[str, Any], letter: dict[str, Any]
) -> None:
    asked = {"file_id": people["file_id"], "to": "parquet"}
    made = owner.post(CONVERT, json=asked).json()["result"]["file"]
    back = civitas(
        "convert", made["file_id"], "--to", "csv", "--json", "--data-dir", server.data_dir,
        environment={"CIVITAS_ACCESS_TOKEN": OWNER},
    )  # fmt: skip
    again = json.loads(back.stdout)["file"]
    links = owner.get(f"/api/solution/lineage/files/{made['file_id']}").json()["result"]["links"]

    assert (made["name"], made["media_type"]) == (
        "people.parquet",
        "application/vnd.apache.parquet",
    )
    assert again["sha256"] == people["sha256"]
    assert again["storage_location"] == people["storage_location"]
    assert {"was_converted_from"} <= {link["predicate"] for link in links}
    check_problem(owner.post(CONVERT, json={**asked, "to": "csv"}), 415, "no_table")
    check_problem(
        owner.post(CONVERT, json={"file_id": letter["file_id"], "to": "csv"}), 415, "no_table"
    )
    check_problem(owner.post(CONVERT, json={**asked, "to": "xlsx"}), 422)


def test_conversion_that_would_lose_something_says_what(
    server: Server, owner: httpx2.Client
) -> None:
    ragged = owner.post("/api/files", files={"file": ("r.csv", b"a,b\n1,2\n3\n5,6\n")}).json()
    before = server.stored

    answer = owner.post(CONVERT, json={"file_id": ragged["result"]["file_id"], "to": "parquet"})

    problem = check_problem(answer, 422, "not_lossless")
    assert problem["detail"] == "row 3 has 1 cells, the header has 2"
    assert (server.stored, server.staged) == (before, [])
