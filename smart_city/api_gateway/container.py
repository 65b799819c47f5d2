"""What the API gateway is made of."""

from foundations.wiring import wire
from smart_city.api_gateway.routing import APIGatewayService

container = wire(APIGatewayService)
