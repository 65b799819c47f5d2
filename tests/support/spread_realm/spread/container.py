"""What the realm is made of."""

from foundations.wiring import wire

from .steps import SpreadStepsService

container = wire(SpreadStepsService)
