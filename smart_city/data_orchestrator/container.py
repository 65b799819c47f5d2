"""What the data orchestrator is made of."""

from foundations.wiring import wire
from smart_city.data_orchestrator.account import DataOrchestratorService

container = wire(DataOrchestratorService)
