"""The fuzzing trial, in short; and that it would see a broken promise."""

import httpx2
import pytest

from tests.chaos import fuzz_files
from tests.chaos.fuzz_files import fuzz
from tests.support.mutating import mutated

pytestmark = pytest.mark.slow


def test_mutated_files_get_a_result_or_a_clear_problem() -> None:
    found = fuzz(range(60), seed=5)

    assert found.broken == []
    assert found.files == 60
    assert found.results > 5
    assert len(found.problems) > 2


def test_same_number_of_a_seed_is_the_same_file() -> None:
    assert mutated(3, 4) == mutated(3, 4)
    assert mutated(3, 4).data != mutated(3, 5).data


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, '{"code": "x", "detail": "x"}', "500"),
        (422, '{"code": "", "detail": "x"}', "no code"),
        (422, '{"code": "x", "detail": ""}', "no detail"),
        (422, "not JSON", "JSONDecodeError"),
        (200, "{}", "200"),
    ],
)
def test_answer_that_helps_nobody_is_seen(status: int, body: str, why: str) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, text=body))
    found = fuzz_files.Found(seed=0)

    with httpx2.Client(base_url="http://test", transport=transport) as client:
        fuzz_files._judge(client, mutated(0, 1), 1, found, None)

    assert len(found.broken) == 1
    assert why in found.broken[0]
