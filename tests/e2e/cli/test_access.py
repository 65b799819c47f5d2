"""Commands and a server with an access token, as processes."""

from collections.abc import Iterator

import pytest

from tests.support.oracle import check_problem
from tests.support.processes import ROOT, Server, civitas, serving

pytestmark = pytest.mark.slow

TOKEN = "q7Zk2-Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("guarded"), access_token=TOKEN) as running:
        yield running


def test_command_sends_the_token_to_the_running_server(server: Server) -> None:
    environment = {"CIVITAS_ACCESS_TOKEN": TOKEN}
    weather = ROOT / "tests/data/planets.xlsx"

    mashed = civitas("mash", weather, "--data-dir", server.data_dir, environment=environment)
    state = civitas("city", "status", "--data-dir", server.data_dir, environment=environment)

    assert (mashed.returncode, mashed.stderr) == (0, "")
    assert f"running at {server.url}" in state.stdout


def test_command_without_the_token_is_refused_with_the_remedy(server: Server) -> None:
    found = civitas("run", "list", "--data-dir", server.data_dir)

    assert found.returncode == 3
    cause, remedy = found.stderr.splitlines()
    assert cause == "error: the request bears no access token"
    assert "Authorization: Bearer" in remedy


def test_request_needs_the_token_and_nothing_tells_it(server: Server) -> None:
    with server.client() as client:
        assert client.get("/livez").status_code == 200
        check_problem(client.get("/api/city/mode"), 401, "access_token_needed")
        answer = client.get("/api/city/mode", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.json()["result"]["mode"] == "disabled"
    assert TOKEN not in f"{server.log}{server.stderr}{answer.text}"


@pytest.mark.parametrize("token", ["short", "change-me-change-me-change-me-change-me"])
def test_c8_token_that_is_short_or_an_example_is_refused(token: str) -> None:
    found = civitas("serve", "--port", "0", environment={"CIVITAS_ACCESS_TOKEN": token})

    assert found.returncode == 78
    assert "CIVITAS_ACCESS_TOKEN" in found.stderr
    assert "change-me-" not in found.stderr
