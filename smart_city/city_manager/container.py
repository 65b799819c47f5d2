"""What the city manager is made of."""

from foundations.wiring import wire
from smart_city.city_manager.state import CityManagerService

container = wire(CityManagerService)
