"""What is no secret: passwords that programs come with, examples, and what is quickly guessed."""

import re
from urllib.parse import unquote

MAKE_A_TOKEN = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105 - a command
SHORTEST_TOKEN = 32
_FEWEST_DIFFERENT = 10
_EXAMPLE = re.compile(
    r"(change|replace|insert).?(me|this|here)|your.?(own)?.?(access|secret|token|key)|placeholder"
    r"|example|sample|dummy|default|password|secret|(0123456789|abcdefgh)|qwerty|letmein",
    re.IGNORECASE,
)
_DEFAULTS = {
    "admin", "changeme", "civitas", "default", "example", "guest", "minio", "minio123",
    "minioadmin", "pass", "password", "postgres", "rabbitmq", "redis", "root", "secret", "test",
}  # fmt: skip


def weakness_of(token: str) -> str:
    """Why an access token is none; empty when it is one."""
    if len(token) < SHORTEST_TOKEN:
        return f"is shorter than {SHORTEST_TOKEN} characters"
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        return "has characters that cannot stand in a header"
    if _EXAMPLE.search(token):
        return "is an example or contains a word that is guessed"
    if len(set(token)) < _FEWEST_DIFFERENT:
        return "repeats a few characters"
    return ""


def is_default_password(user: str | None, password: str | None) -> bool:
    """Whether a server's password, as it stands in a URL, is one that everybody knows."""
    name, word = unquote(user or ""), unquote(password or "")
    return bool(word) and (word.lower() in _DEFAULTS or word == name)
