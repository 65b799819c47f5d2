"""Who lives in the journey realm."""

from foundations.wiring import wire
from realms.journey.control.answering import Answering
from realms.journey.control.asking import Asking
from realms.journey.control.dead_letters import DeadLetters
from realms.journey.control.engine import JourneyEngine
from realms.journey.control.operators import JourneyOperators
from realms.journey.control.waiting import Waiting
from realms.journey.data_mash import DataMashJourneyOrchestratorService
from realms.journey.engine.accepting import Accepting
from realms.journey.engine.backlog import Backlog
from realms.journey.engine.children import SubJourneys
from realms.journey.engine.keeper import Keeper
from realms.journey.engine.lanes import Lanes
from realms.journey.engine.leadership import Leadership
from realms.journey.engine.offers import OfferRecords
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.records import ArchiveRecords, ScheduleRecords, TemplateRecords
from realms.journey.engine.requesting import Requesting
from realms.journey.engine.requests import RequestRecords
from realms.journey.engine.retention import Retention
from realms.journey.engine.runner import Runner
from realms.journey.engine.schedules import Schedules
from realms.journey.engine.sharing import SharedDriver
from realms.journey.engine.spreading import Spreading
from realms.journey.left_behind import LeftBehind
from realms.journey.operations import JourneyOperationsService
from realms.journey.records import DatabaseJournal
from realms.journey.registry_services import RegistryServices
from realms.journey.runs import JourneyRunsService
from realms.journey.template_files import TemplateFiles
from realms.journey.template_versions import JourneyTemplatesService
from realms.journey.templates import JourneyTemplates

container = wire(
    LeftBehind,
    DatabaseJournal,
    RegistryServices,
    TemplateFiles,
    TemplateRecords,
    JourneyTemplates,
    Payloads,
    Runner,
    SharedDriver,
    Leadership,
    RequestRecords,
    Requesting,
    Lanes,
    Accepting,
    SubJourneys,
    OfferRecords,
    Spreading,
    Keeper,
    Backlog,
    Waiting,
    JourneyEngine,
    ScheduleRecords,
    Schedules,
    ArchiveRecords,
    Retention,
    JourneyTemplatesService,
    JourneyOperators,
    Answering,
    Asking,
    DeadLetters,
    JourneyRunsService,
    JourneyOperationsService,
    DataMashJourneyOrchestratorService,
)
