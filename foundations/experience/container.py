"""What the experience foundation is made of."""

from foundations.experience.road import RoadSocket
from foundations.wiring import wire
from utilities.models import built_when_used

with built_when_used():  # the forty models of FastAPI's with which it describes an OpenAPI document
    from foundations.experience.application import Application
    from foundations.experience.experience import ExperienceFoundationService

container = wire(RoadSocket, Application, ExperienceFoundationService)
