"""Words that say nothing of what a text is about, in English and German."""

_ENGLISH = """
a about above after again against all also although always am among an and another any are as at
away back be became because become becomes been before began behind being below between both but by
came can cannot come could did do does doing done down during each either else enough even ever
every few first for from further gave get give given go goes going good got great had half has have
having he hence her here hers him his how however i if in indeed into is it its itself just keep
kept know last least less let like likely made make makes many may me might mine more most much must
my near neither never new next no nor not nothing now of off often on once one only onto or other
others our ours out over own part per perhaps put quite rather really said same say see seem seems
several shall she should since so some soon still such take taken than that the their theirs them
then there therefore these they thing things this those though three through thus till to together
too toward two under until up upon us use used uses using usually very was way we well went were
what when where whether which while who whole whom whose why will with within without would yet you
your yours
"""
_GERMAN = """
aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei beim bin bis
bist da dabei dadurch daher damit dann das dass dein dem den denn der deren des dessen die dies
diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines er es etwa
etwas euch für gegen gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr
ihre ihrem ihren ihrer im indem ins ist jede jedem jeden jeder jedes jedoch jetzt kann kein keine
keinem keinen keiner können man mehr mein meine mich mir mit muss nach nicht nichts noch nun nur ob
oder ohne schon sehr sein seine seinem seinen seiner seit sich sie sind so solche sondern sonst
soll sowie über um und uns unser unter viel vom von vor war waren was weil welche welcher wenn wer
werden wie wieder wir wird wo wurde wurden zu zum zur zwar zwischen
"""

STOP_WORDS = frozenset((_ENGLISH + _GERMAN).split())
