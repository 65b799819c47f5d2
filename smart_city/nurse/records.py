"""The nurse keeps no tables; this asks the database whether it answers."""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from foundations.public_works.database import Database
from utilities.errors import ErrorKind, PlatformError


class DatabaseFailing(PlatformError):
    """The database does not answer as it should."""

    kind = ErrorKind.UNAVAILABLE


class DatabaseProbe:
    """A round trip to the database."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def round_trip(self) -> None:
        """Read, and take the write lock, as every request that changes something must.

        Raises:
            DatabaseFailing: one of the two failed.
        """
        question = text("SELECT 1")
        try:
            await self._database.read(lambda connection: connection.execute(question))
            await self._database.write(lambda connection: connection.execute(question))
        except SQLAlchemyError as error:
            raise DatabaseFailing(type(error).__name__, hint="see the log of the city") from error
