"""Which of several schedulers is at work: the others stand by, and take over when it is gone."""

from datetime import timedelta

from foundations.boot import Duty
from foundations.public_works.settings import Settings
from realms.journey.engine.driver import Driver
from realms.journey.engine.journal import Journal
from utilities.clock import Clock

_TURN = "scheduler"


class Leadership:
    """One scheduler leads as long as it lives; a process that does everything always leads."""

    def __init__(
        self, *, journal: Journal, driver: Driver, clock: Clock, settings: Settings, duty: Duty
    ) -> None:
        self._journal = journal
        self._driver = driver
        self._clock = clock
        self._alone = duty is not Duty.SCHEDULE
        self._lease = timedelta(seconds=settings.lease_seconds)

    async def leads(self) -> bool:
        """Whether this process is to do what one does at a time, for the length of a lease."""
        if self._alone:
            return True
        now = await self._journal.now(self._clock.now())
        return await self._journal.take_turn(
            _TURN, holder=self._driver.holder, at=now, until=now + self._lease
        )
