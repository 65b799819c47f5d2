"""What the communication director is made of."""

from foundations.wiring import wire
from smart_city.communication_director.road import CommunicationDirectorService

container = wire(CommunicationDirectorService)
