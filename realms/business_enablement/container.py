"""What business enablement is made of."""

from foundations.wiring import wire
from realms.business_enablement.content_analysis import ContentAnalysisOrchestrator
from realms.business_enablement.insights import InsightsOrchestrator

container = wire(ContentAnalysisOrchestrator, InsightsOrchestrator)
