"""What the data steward is made of."""

from foundations.wiring import wire
from smart_city.data_steward.governance import DataStewardService
from smart_city.data_steward.policy_reading import PolicyInForce
from smart_city.data_steward.records import DataRecords

container = wire(DataRecords, PolicyInForce, DataStewardService)
