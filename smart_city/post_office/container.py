"""What the post office is made of."""

from foundations.wiring import wire
from smart_city.post_office.mail import PostOfficeService
from smart_city.post_office.records import PostRecords

container = wire(PostRecords, PostOfficeService)
