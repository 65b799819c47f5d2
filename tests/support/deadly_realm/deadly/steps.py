"""Steps that nobody should write."""

import asyncio
import ctypes
import os
import sys

from pydantic import BaseModel

from foundations.declarations import Effect, service, soa_api


class Survived(BaseModel):
    """What it gives if it comes so far."""

    how: str


@service
class DeadlyStepsService:
    """Dies."""

    @soa_api(effect=Effect.KEYED)
    async def die(self, how: str) -> Survived:
        """Ends the process as asked."""
        if how == "segfault":
            ctypes.string_at(0)
        if how == "loop":
            while True:
                pass
        if how == "descriptors":
            os.closerange(3, 4096)
            await asyncio.sleep(60)
        if how == "sys.exit":
            sys.exit(3)
        return Survived(how=how)
