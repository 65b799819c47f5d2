"""What the content steward is made of."""

from foundations.wiring import wire
from smart_city.content_steward.files import ContentStewardService
from smart_city.content_steward.forgetting import Forgetting
from smart_city.content_steward.intake import Intake
from smart_city.content_steward.reception import Reception
from smart_city.content_steward.records.files import FileRecords
from smart_city.content_steward.records.uploads import UploadRecords

container = wire(
    FileRecords,
    UploadRecords,
    Intake,
    Reception,
    ContentStewardService,
    Forgetting,
)
