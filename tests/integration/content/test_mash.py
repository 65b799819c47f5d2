"""A file's content goes through parsing, the semantic layer and insights."""

import pytest

from tests.support.content_world import World

pytestmark = pytest.mark.anyio

READINGS = b"""day,city,temp,rain
2024-01-01,Oslo,-4.5,0
2024-01-02,Oslo,-2.5,1
2024-01-03,Rome,11.5,NA
2024-01-04,Rome,12.5,4
"""


async def test_table_becomes_insights(world: World) -> None:
    answer = await world.mash("f1", "readings.csv", READINGS)

    sentences = [insight.sentence for insight in answer.insights_result.insights]
    assert (
        sentences[0]
        == "readings has 4 rows and 4 columns, 2 of them numeric; 93.8% of its cells are filled."
    )
    assert "rain is missing in 1 of 4 rows (25.0%)." in sentences
