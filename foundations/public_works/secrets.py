"""The port of secrets: named values that are used and never shown, logged or journalled."""

import os
import re
from typing import Protocol

from foundations.public_works.settings import SECRET_PREFIX
from utilities.errors import ErrorKind, PlatformError


class UnknownSecret(PlatformError):
    """There is no such secret."""

    kind = ErrorKind.CONFIGURATION


class Secrets(Protocol):
    """Gives secrets by name to those who use them at that moment."""

    async def get(self, name: str) -> str:
        """The secret called `name`.

        Raises:
            UnknownSecret: there is none.
        """
        ...


class EnvironmentSecrets(Secrets):
    """`ledger_token` is the environment variable `CIVITAS_SECRET_LEDGER_TOKEN`."""

    async def get(self, name: str) -> str:
        variable = SECRET_PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper())
        value = os.environ.get(variable)
        if value is None:
            raise UnknownSecret(
                f'there is no secret "{name}"', hint=f"set the environment variable {variable}"
            )
        return value
