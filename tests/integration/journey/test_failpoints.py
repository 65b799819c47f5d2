"""A failpoint kills the process where its name says, and only when it is asked to."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.journeys import ROOT

PROGRAM = "from realms.journey.engine.failpoints import reach; reach('after:a'); print('alive')"


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [("after:a", -signal.SIGKILL, ""), ("after:b", 0, "alive\n"), ("", 0, "alive\n")],
)
def test_a_failpoint_kills_only_where_it_is_asked(asked: str, code: int, said: str) -> None:
    environment = {**os.environ, "JOURNEY_FAILPOINT": asked}

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (code, said)
