"""What the librarian is made of."""

from foundations.wiring import wire
from smart_city.librarian.records import LibraryRecords
from smart_city.librarian.searching import LibrarianService

container = wire(LibraryRecords, LibrarianService)
