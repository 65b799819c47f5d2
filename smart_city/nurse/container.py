"""What the nurse is made of."""

from foundations.wiring import wire
from smart_city.nurse.records import DatabaseProbe
from smart_city.nurse.rounds import NurseService

container = wire(DatabaseProbe, NurseService)
