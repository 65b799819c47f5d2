"""URLs of servers: where they lead, and what of them may be shown."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from foundations.public_works.weak_secrets import is_default_password


@dataclass(frozen=True, slots=True)
class Address:
    """One or several servers of a URL; several stand in a row, with commas or semicolons."""

    scheme: str
    """Without a driver's name: of `postgresql+psycopg` the first word."""
    hosts: tuple[str, ...]
    path: str
    shown: str
    """The URL without user, password and query."""
    has_user: bool
    """Whether a user or password stands in it."""
    guessable: bool
    """Whether a password in it is one that everybody knows."""

    @classmethod
    def parsed(cls, url: str) -> "Address":
        """The address of a URL.

        Raises:
            ValueError: it is none.
        """
        parts = [urlsplit(part) for part in url.split(";")]
        rests = [rest for part in parts for rest in part.netloc.rpartition("@")[2].split(",")]
        hosts = [urlsplit(f"//{rest}") for rest in rests]
        for host in hosts:
            _ = host.port  # reading it is what finds a port that is none
        return cls(
            scheme=parts[0].scheme.partition("+")[0],
            hosts=tuple(host.hostname or "" for host in hosts),
            path=parts[0].path.strip("/"),
            shown=f"{parts[0].scheme}://{','.join(rests)}{parts[0].path}",
            has_user=any("@" in part.netloc for part in parts),
            guessable=any(is_default_password(part.username, part.password) for part in parts),
        )

    @property
    def local(self) -> bool:
        """Whether all of it is on this machine; without a host it is a socket here."""
        return all(not host or is_loopback(host) for host in self.hosts)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or number."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
