"""What the experience foundation is made of."""

from foundations.experience.application import Application
from foundations.experience.experience import ExperienceFoundationService
from foundations.experience.road import RoadSocket
from foundations.wiring import wire

container = wire(RoadSocket, Application, ExperienceFoundationService)
