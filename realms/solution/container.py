"""Who lives in the solution realm."""

from foundations.wiring import wire
from realms.solution.data_mash import DataMashSolutionOrchestratorService
from realms.solution.lineage import DataLineageService

container = wire(DataLineageService, DataMashSolutionOrchestratorService)
