"""The services that faulty templates are checked against."""

from foundations.declarations import Effect
from tests.support.journeys import DATA_MASH_SIGNATURES, OBJECT, TEXT, FakeServices, signature

NUMBER = {"type": "number"}
CHECKED = {"type": "object", "properties": {"ok": {"type": "boolean"}, "row": OBJECT}}

SERVICES = FakeServices(
    *DATA_MASH_SIGNATURES,
    signature(
        "RuleService.check",
        {"limit": NUMBER, "mode": TEXT, "strict": {"type": "boolean"}},
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
    signature("LedgerService.book", {"file_id": TEXT}, {"entry_id": TEXT, "amount": NUMBER}),
    signature("LedgerService.unbook", {"entry_id": TEXT}, {"undone": {"type": "boolean"}}),
    signature("LedgerService.send", {"token": TEXT, "amount": NUMBER}, {"sent": OBJECT}),
)

PARSED = {
    "type": "object",
    "properties": {
        "tables": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"rows": {"type": "array", "items": OBJECT}},
            },
        }
    },
}

INVOICE_SERVICES = FakeServices(
    signature(
        "ContentAnalysisOrchestrator.parse_file", {"file_id": TEXT}, {"parse_result": PARSED}
    ),
    signature("RuleService.check", {"row": OBJECT, "limit": NUMBER}, {"ok": {"type": "boolean"}}),
    signature("LedgerService.book", {"file_id": TEXT}, {"entry_id": TEXT, "amount": NUMBER}),
    signature("LedgerService.unbook", {"entry": TEXT}, {"undone": {"type": "boolean"}}),
    signature("LedgerService.send", {"token": TEXT, "amount": NUMBER}, {"sent": OBJECT}),
)
"""The services of the sound templates in tests/golden/templates/sound."""
