"""What the smart city has beside its roles."""

from foundations.wiring import wire
from smart_city.gateway import SmartCityGateway

container = wire(SmartCityGateway)
