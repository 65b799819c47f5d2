"""Words that say nothing of what a text is about, by language."""

from functools import cache

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

_FRENCH = """
afin ai ainsi alors après au aucun aucune aussi autre autres aux avait avant avec avoir beaucoup
bien car ce cela celle celles celui ces cet cette ceux chaque chez chose comme comment contre dans
de déjà depuis dernier dernière derrière des donc dont du durant elle elles en encore enfin entre
est et était étaient été être eu eux fait faire faut furent fut il ils jamais je jusque la le
lequel les leur leurs lors lorsque lui ma mais malgré même mêmes mes mieux moi moins mon ne ni non
nos notre nous on ont ou où par parce parmi pas pendant peu peut peuvent plus plusieurs pour
pourquoi puis puisque qu quand que quel quelle quelles quels quelque qui quoi rien sa sans se selon
sera seront ses si sien soit son sont sous souvent sur surtout ta tandis tant te tel telle tels tes
toi ton toujours tous tout toute toutes très trop tu un une va vers voici voilà vos votre vous
"""
_SPANISH = """
a al algo algún alguna algunas alguno algunos ambos ante antes aquel aquella aquí así aún aunque
bajo bien cabe cada casi como cómo con contra cual cuál cuales cualquier cuando cuándo cuanto cuya
cuyo de debe deben del desde después donde dónde dos durante e el él ella ellas ellos en entre era
eran es esa esas ese eso esos esta está están estas este esto estos estuvo fue fueron fuera gracias
ha había habían hace hacia han hasta hay incluso la las le les lo los luego más me mediante menos
mi mientras mis mismo misma muchas mucho muchos muy nada ni ningún ninguna no nos nosotros nuestra
nuestro nunca o os otra otras otro otros para pero poco por porque puede pueden pues que qué quien
quién se sea sean según ser será si sí sido siempre sin sino sobre son su sus también tan tanto te
tenía tiene tienen toda todas todavía todo todos tras tu tus un una unas uno unos usted ustedes y
ya yo
"""
_ITALIAN = """
a abbiamo ad agli ai al alcune alcuni alla alle allo allora altra altre altri altro anche ancora
avere aveva avevano c che chi ci ciò coi col come con contro cosa così cui da dagli dai dal dalla
dalle dallo degli dei del della delle dello dentro di dopo dove due durante e è ed era erano essere
fa fatto fino fra fu furono gli ha hanno ho i il in invece io la le lei li lo loro lui ma mai me
meno mentre mi mia mio molta molte molti molto ne negli nei nel nella nelle nello noi non nostra
nostro o ogni oltre ora per perché però più poco poi presso prima proprio può qua quale quali
quando quanto quasi quella quelle quelli quello questa queste questi questo qui quindi se secondo
sei sempre senza si sia siamo sono sopra sotto sta stata state stati stato su sua sue sugli sui sul
sulla sulle sullo suo suoi tra tre troppo tu tua tuo tutta tutte tutti tutto un una uno verso vi
viene voi vostra vostro
"""
_OF_FIGURES = """
hundred thousand million millions billion billions percent euro euros dollar dollars pound pounds
hundert tausend million millionen milliarde milliarden prozent franken mio mrd
"""
_ROMANCE = """
mille million millions milliard milliards cent pourcent pour-cent mil millón millones ciento mila
milione milioni miliardi cento
"""

STOP_WORDS = frozenset((_ENGLISH + _GERMAN + _OF_FIGURES).split())
_OF_LANGUAGE = {
    "French": frozenset((_FRENCH + _ROMANCE).split()),
    "Spanish": frozenset((_SPANISH + _ROMANCE).split()),
    "Italian": frozenset((_ITALIAN + _ROMANCE).split()),
}


@cache
def stop_words(language: str) -> frozenset[str]:
    """Words that say nothing in a text of a language, by its English name.

    Those of English and German stand in texts of any language.
    """
    return STOP_WORDS | _OF_LANGUAGE.get(language, frozenset())
