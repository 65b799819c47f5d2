"""Did you mean: the nearest right name for a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(wrong: str, right: Iterable[str]) -> str:
    """A sentence such as `Did you mean "parse_file"?`, or an empty text when nothing is near."""
    by_folded = {name.casefold(): name for name in right}
    near = get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.6)
    return f'Did you mean "{by_folded[near[0]]}"?' if near else ""
