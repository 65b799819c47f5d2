"""What the realm of letters is made of."""

from foundations.wiring import wire
from letters.answering import Script, SpellingAgent
from letters.counting import LetterService

container = wire(LetterService, Script, SpellingAgent)
