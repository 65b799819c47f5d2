"""Opens the agentic foundation, third: agents, their models and their tools."""

from foundations.agentic.container import container
from foundations.boot import stage_of
from foundations.rooms import Room

open_stage = stage_of(container, Room("foundations.agentic", "agentic"))
