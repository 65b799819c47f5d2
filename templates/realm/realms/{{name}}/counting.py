"""Counts words, and writes a sentence about them."""

from foundations.declarations import Effect, service, soa_api
from realms.{{name}}.api import {{Name}}, Report, WordCount


@service
class {{Name}}Service({{Name}}):
    """An example to replace: whatever its constructor asks for by type is injected."""

    @soa_api(public=True)
    async def count_words(self, text: str) -> WordCount:
        """How many words a text has, and the longest of them."""
        words = text.split()
        return WordCount(words=len(words), longest=max(words, key=len, default=""))

    @soa_api(public=True, effect=Effect.PURE)
    async def write_report(self, words: int, longest: str) -> Report:
        """A sentence about what was counted."""
        return Report(report=f'{words} words, the longest is "{longest}"')
