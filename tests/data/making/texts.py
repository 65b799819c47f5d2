"""Plain text, Markdown, RTF and web pages, in several languages and encodings."""

from typing import Any

from tests.data.making.made import Made, Truth, table

SONNET = """\
Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date:
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance, or nature's changing course, untrimm'd;
But thy eternal summer shall not fade
Nor lose possession of that fair thou owest;
Nor shall Death brag thou wander'st in his shade,
When in eternal lines to time thou growest:
So long as men can breathe or eyes can see,
So long lives this, and this gives life to thee.
"""
TAO = """\
道可道，非常道。名可名，非常名。
無名天地之始；有名萬物之母。
故常無欲，以觀其妙；常有欲，以觀其徼。
此兩者，同出而異名，同謂之玄。
玄之又玄，眾妙之門。
"""
BREAD = """\
الخبز طعام قديم يعرفه الناس في كل مكان. يصنع من الدقيق والماء والملح. هل تحتاج العجينة إلى الخميرة؟
نعم، وتترك ساعتين في مكان دافئ.

ثم تخبز في فرن حار ثلاثين دقيقة. يؤكل الخبز ساخنا مع الزيت والزعتر.
"""
FAUST = """\
Habe nun, ach! Philosophie,
Juristerei und Medizin,
Und leider auch Theologie
Durchaus studiert, mit heißem Bemühn.
Da steh ich nun, ich armer Tor!
Und bin so klug als wie zuvor;
"""


def files() -> dict[str, Made]:
    return {
        "sonnet.txt": Made(SONNET.encode(), text("utf-8", SONNET.split(), "darling buds of May")),
        "tao.txt": Made(
            TAO.encode(),
            {
                **text("utf-8", [], "玄之又玄，眾妙之門。"),
                "words": sum("\u4e00" <= letter <= "\u9fff" for letter in TAO),
                "sentences": TAO.count("。"),
            },
        ),
        "bread-ar.txt": Made(
            BREAD.encode(), {**text("utf-8", BREAD.split(), "هل تحتاج العجينة"), "sentences": 6}
        ),
        "faust-latin1.txt": Made(
            FAUST.encode("latin-1"), text("cp1252", FAUST.split(), "mit heißem Bemühn")
        ),
        "compost.md": compost(),
        "tide-table.rtf": tide_table(),
        "garden.html": garden(),
        "old-page.html": old_page(),
    }


def text(encoding: str, words: list[str], contains: str, media: str = "text/plain") -> Truth:
    return {
        "kind": "text",
        "media_type": media,
        "encoding": encoding,
        "words": len(words),
        "passages": [{"place": "line 1", "contains": contains}],
    }


def compost() -> Made:
    """Headings, a list, code, a link, a table with a bar inside of a cell."""
    rows: list[list[Any]] = [["leaves", 60], ["coffee | tea", 20], ["straw", 80], ["grass", 17]]
    lines = [
        "# Compost",
        "",
        "Keep it *moist* and turn it every **two weeks**; see [the table](#mix).",
        "",
        "## Mix",
        "",
        "| stuff | carbon to nitrogen |",
        "| :--- | ---: |",
        *(f"| {name.replace('|', chr(92) + '|')} | {ratio} |" for name, ratio in rows),
        "",
        "## Turning",
        "",
        "1. Lift the top.",
        "2. Move it to the next bin.",
        "",
        "```",
        "# not a heading",
        "```",
    ]
    known = table(
        "Mix", {"stuff": "text", "carbon to nitrogen": "integer"}, rows, place="Compost > Mix"
    )
    return Made(
        "\n".join(lines).encode(),
        {
            "kind": "text",
            "media_type": "text/markdown",
            "encoding": "utf-8",
            "tables": [known],
            "passages": [
                {"place": "Compost", "contains": "turn it every two weeks; see the table."},
                {"place": "Compost > Mix", "contains": "coffee | tea; 20"},
                {"place": "Compost > Turning", "contains": "# not a heading"},
            ],
        },
    )


def tide_table() -> Made:
    """RTF as word processors write it: code page, Unicode escapes, a table, a picture."""
    rows: list[list[Any]] = [["Monday", 4.1], ["Tuesday", 4.6], ["Wednesday", 5.2]]
    cells = "".join(
        r"\trowd\cellx3000\cellx6000 \intbl " + str(a) + r"\cell " + str(b) + r"\cell\row" + "\n"
        for a, b in [["day", "metres"], *rows]
    )
    body = (
        r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\froman Times;}}"
        r"{\info{\title Tide table}{\author the harbour}}"
        "\n"
        r"\pard {\b Spring tides}\par "
        r"The harbour\'92s gauge stands at the quay. Entry costs \u8364? 5. "
        r"Na\'efve visitors stay longer.\par "
        "\n"
        + cells
        + r"\pard {\pict\pngblip\picw1\pich1 89504e470d0a1a0a}\par Mind the slip way.\par}"
    )
    return Made(
        body.encode("ascii"),
        {
            "kind": "text",
            "media_type": "application/rtf",
            "properties": {"title": "Tide table", "authors": ["the harbour"]},
            "tables": [
                table("table 1", {"day": "text", "metres": "number"}, rows, place="beginning")
            ],
            "passages": [
                {"place": "beginning", "contains": "harbour\u2019s gauge"},
                {"place": "beginning", "contains": "\u20ac 5. Na\u00efve visitors"},
                {"place": "beginning", "contains": "Mind the slip way."},
            ],
        },
    )


def garden() -> Made:
    rows: list[list[Any]] = [["tulip", 3, 15.5], ["crocus", 2, 8.0], ["iris", 5, 40.25]]
    cells = "\n".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    page = f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<title>The spring garden</title>
<meta name="author" content="the gardeners">
<meta name="description" content="What grows when">
<meta property="article:published_time" content="2026-02-01">
<style>td {{ color: green }}</style>
<script type="application/ld+json">{{"@type": "Article"}}</script>
</head>
<body>
<h1>The spring garden</h1>
<p>Bulbs go in <b>before the frost</b> &mdash; and not a day later.</p>
<h2>Bulbs</h2>
<table>
<tr><th>bulb</th><th>month</th><th>depth cm</th></tr>
{cells}
</table>
<h2>Care</h2>
<ul><li>Water on dry days.</li><li>Cut nothing that is green.</li></ul>
</body>
</html>
"""
    types = {"bulb": "text", "month": "integer", "depth cm": "number"}
    return Made(
        page.encode(),
        {
            "kind": "text",
            "media_type": "text/html",
            "encoding": "utf-8",
            "properties": {
                "title": "The spring garden",
                "authors": ["the gardeners"],
                "subject": "What grows when",
                "language": "en-GB",
                "created_at": "2026-02-01",
            },
            "tables": [table("Bulbs", types, rows, place="The spring garden > Bulbs")],
            "passages": [
                {"place": "The spring garden", "contains": "before the frost \u2014 and not a day"},
                {"place": "The spring garden > Care", "contains": "Cut nothing that is green."},
            ],
            "absent": ["color: green", "@type"],
        },
    )


def old_page() -> Made:
    """A page of the nineties: no document type, capitals, Windows-1252."""
    page = (
        "<HTML><HEAD><TITLE>Caf\u00e9 \u2013 opening hours</TITLE></HEAD>\n"
        "<BODY BGCOLOR=white><H1>Caf\u00e9</H1>\n"
        "<P>Open from nine \u201cuntil late\u201d.<BR>Closed on Mondays.\n"
        "<H2>Cr\u00eapes</H2><P>With sugar: 3 \u20ac.\n</BODY></HTML>\n"
    )
    return Made(
        page.encode("cp1252"),
        {
            "kind": "text",
            "media_type": "text/html",
            "encoding": "cp1252",
            "properties": {"title": "Caf\u00e9 \u2013 opening hours"},
            "passages": [
                {"place": "Caf\u00e9", "contains": "\u201cuntil late\u201d"},
                {"place": "Caf\u00e9 > Cr\u00eapes", "contains": "With sugar: 3 \u20ac."},
            ],
        },
    )
