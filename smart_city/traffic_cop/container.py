"""What the traffic cop is made of."""

from foundations.wiring import wire
from smart_city.traffic_cop.records import SessionRecords
from smart_city.traffic_cop.sessions import TrafficCopService

container = wire(SessionRecords, TrafficCopService)
