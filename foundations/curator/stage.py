"""Opens the curator, second: from here on there is a registry that answers."""

from foundations.boot import stage_of
from foundations.curator.container import container
from foundations.rooms import Room

open_stage = stage_of(container, Room("foundations.curator", "curator"))
