"""Who lives in the solution realm."""

from foundations.wiring import wire
from realms.solution.data_mash import DataMashSolutionOrchestratorService
from realms.solution.lineage import DataLineageService
from realms.solution.retention import FileRetentionService

container = wire(DataLineageService, FileRetentionService, DataMashSolutionOrchestratorService)
