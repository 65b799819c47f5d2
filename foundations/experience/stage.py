"""Opens the experience foundation, fourth: the application stands, its road is plugged in later."""

from foundations.boot import stage_of
from foundations.experience.container import container
from foundations.rooms import Room

open_stage = stage_of(container, Room("foundations.experience", "experience"))
