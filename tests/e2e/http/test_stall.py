"""A server that stalls ends itself, and says where it stood."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

STALL = """
import sys, time
import foundations.experience.serving as serving

def stall(url):
    import asyncio
    asyncio.get_running_loop().call_later(0.2, time.sleep, 30)

import asyncio
from foundations.public_works.settings import Settings
from main import Platform
asyncio.run(serving.serve(Platform, Settings(data_dir=sys.argv[1], port=0, stall_seconds=1), stall))
"""


@pytest.mark.slow
def test_a_server_whose_loop_stands_still_ends_as_by_a_crash(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STALL, str(tmp_path / "city")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == -signal.SIGKILL
    assert "the event loop stood still for 1 s" in ended.stderr
