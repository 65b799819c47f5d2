"""The services that faulty templates are checked against."""

from foundations.declarations import Effect
from tests.support.journeys import DATA_MASH_SIGNATURES, OBJECT, TEXT, FakeServices, signature

SERVICES = FakeServices(
    *DATA_MASH_SIGNATURES,
    signature(
        "RuleService.check",
        {"limit": {"type": "number"}, "mode": TEXT, "strict": {"type": "boolean"}},
        {"report": OBJECT},
        optional=["limit", "mode", "strict"],
    ),
    signature("RuleService.change", {}, {"report": OBJECT}, effect=None),
    signature("RuleService.book", {}, {"report": OBJECT}, effect=Effect.TRANSACTIONAL),
    signature(
        "OldAnalysisOrchestrator.parse_file",
        {"file_id": TEXT},
        {"parse_result": OBJECT, "trace_id": TEXT},
    ),
)
