"""What the security guard is made of."""

from foundations.wiring import wire
from smart_city.security_guard.access import SecurityGuardService

container = wire(SecurityGuardService)
