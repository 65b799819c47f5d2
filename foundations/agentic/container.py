"""What the agentic foundation is made of."""

from foundations.agentic.agentic import AgenticFoundationService
from foundations.agentic.delegating import Delegation
from foundations.agentic.toolbox import Toolbox
from foundations.wiring import wire

container = wire(Toolbox, Delegation, AgenticFoundationService)
