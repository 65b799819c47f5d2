"""Files that say something of each other, and texts, with truths planted into them."""

import datetime as dt

import numpy as np

from tests.benchmarks.insights.tables import Columns, Lots, csv_of, labels, name_of, noise, written
from tests.benchmarks.insights.truths import K, World, truth

THINGS = (
    "northern plant", "southern plant", "eastern depot", "western depot", "harbour terminal",
    "paper mill", "print shop", "call centre", "research institute", "car park",
)  # fmt: skip
MADE = (
    ("produced", "tonnes", "steel"), ("shipped", "tonnes", "grain"), ("used", "kWh", "power"),
    ("drew", "litres", "water"), ("sold", "tonnes", "timber"),
)  # fmt: skip
FILLER = (
    "The board met in the old town hall and thanked everybody who had taken part in the work.",
    "Nobody had expected the weather to hold for so long, and the crews made good use of it.",
    "A new roof was put on the storehouse before the first snow fell on the hills.",
    "The road to the quarry was closed for repairs, so that lorries went round by the river.",
    "Visitors from several countries came to see how the machines are looked after.",
    "The kitchen began to buy from farms nearby, which everybody seems to like.",
)


def shop(lots: Lots) -> World:
    """Orders that refer to customers, some of whom are not there."""
    n, m = int(lots.integers(200, 500)), int(lots.integers(40, 90))
    ids = [f"C{1000 + 3 * k}" for k in range(m)]
    asked = [ids[k] for k in lots.integers(0, m, n)]
    lost = sorted(int(k) for k in lots.choice(n, int(lots.integers(1, 5)), replace=False))
    for k in lost:
        asked[k] = f"C{9000 + k}"
    customers: Columns = {
        "customer_id": ids,
        "name": [f"{name_of(lots)} {name_of(lots)}{k}" for k in range(m)],
        "segment": labels(lots, m, ("private", "trade")),
    }
    orders: Columns = {
        "order_id": [50_000 + k for k in range(n)],
        "customer_id": asked,
        "amount": written(noise(lots, n) + 200, 2),
    }
    return World(
        "shop",
        {"customers.csv": csv_of(customers), "orders.csv": csv_of(orders)},
        [truth(K.JOIN, of=["customer_id"], rows=[1 + lost[0]])],
    )


def versions(lots: Lots) -> World:
    """Two states of one table: rows came and went, prices rose, a column's values moved."""
    n = int(lots.integers(250, 500))
    price = np.round(lots.lognormal(3, 0.5, n), 2)
    old: Columns = {
        "item_id": [f"IT-{7 * k + 100}" for k in range(n)],
        "price": written(price, 2),
        "colour": labels(lots, n, ("black", "white", "green"), even=True),
        "weight": written(lots.normal(10, 2, n), 2),
    }
    gone = set(lots.choice(n, 4, replace=False).tolist())
    raised = {int(k) for k in lots.choice(n, n // 5, replace=False)} - gone
    stay = [k for k in range(n) if k not in gone]
    new = int(lots.integers(5, 20))
    now: Columns = {
        "item_id": [old["item_id"][k] for k in stay] + [f"IT-{90_000 + k}" for k in range(new)],
        "price": [f"{price[k] * 1.1:.2f}" if k in raised else old["price"][k] for k in stay]
        + written(lots.lognormal(3, 0.5, new), 2),
        "colour": [old["colour"][k] for k in stay] + labels(lots, new, ("black", "white", "green")),
        "weight": [old["weight"][k] for k in stay] + written(lots.normal(10, 2, new), 2),
        "shelf": labels(lots, len(stay) + new, ("left", "right", "top")),
    }
    return World(
        "versions",
        {"stock-before.csv": csv_of(old), "stock-after.csv": csv_of(now)},
        [
            truth(K.DRIFT, of=["shelf"], name="new column"),
            truth(
                K.DRIFT,
                of=["item_id"],
                rows=[1 + min(gone)],
                check=lambda i: i.figures.get("came") == new and i.figures.get("went") == len(gone),
                name="rows",
            ),
            truth(
                K.DRIFT,
                of=["item_id", "price"],
                rows=[1 + min(raised)],
                check=lambda i: i.figures.get("changed") == len(raised),
                name="cells",
            ),
        ],
    )


def samples(lots: Lots) -> World:
    """Two samples without a key: one column moved, one is made up otherwise, two did not change."""
    n, m = int(lots.integers(300, 700)), int(lots.integers(300, 700))

    def sample(size: int, shift: float, shares: list[float]) -> Columns:
        return {
            "speed": written(lots.normal(50 + shift, 10, size), 2),
            "steady": written(lots.normal(20, 3, size), 2),
            "kind": [("cart", "van", "lorry")[k] for k in lots.choice(3, size, p=shares)],
            "side": labels(lots, size, ("left", "right"), even=True),
        }

    return World(
        "samples",
        {
            "first.csv": csv_of(sample(n, 0, [0.5, 0.3, 0.2])),
            "second.csv": csv_of(sample(m, 8, [0.2, 0.3, 0.5])),
        },
        [truth(K.DRIFT, of=["speed"]), truth(K.DRIFT, of=["kind"])],
        silent=[truth(K.DRIFT, of=["steady"]), truth(K.DRIFT, of=["side"])],
    )


def report(lots: Lots) -> World:
    """A text with one contradiction among figures that only look like some."""
    stated, wrong, decoys = _statements(lots)
    copied = (
        "The inspection of the boiler took place in the presence of both foremen and a guest, who "
        f"wrote {int(lots.integers(3, 90))} pages about the state of the valves and of the pipes."
    )
    mail, iban = f"{name_of(lots).lower()}@example.org", _iban(lots)
    day = dt.date(2024, 1, 1) + dt.timedelta(days=int(lots.integers(0, 300)))
    paragraphs = [*stated, *decoys, copied, *lots.permutation(FILLER).tolist()]
    paragraphs += [f"Write to {mail} or pay to {iban} before {day.isoformat()}."]
    order = lots.permutation(len(paragraphs)).tolist()
    text = "\n\n".join([paragraphs[k] for k in order] + [wrong, copied])
    return World(
        "report",
        {"report.txt": text.encode()},
        [
            truth(K.CONTRADICTION, check=lambda i: wrong in i.sentence and stated[0] in i.sentence),
            truth(K.SIMILAR),
            truth(K.ENTITY, check=lambda i: mail in i.sentence, name="mail"),
            truth(K.ENTITY, check=lambda i: iban in i.sentence, name="identifier"),
            truth(K.ENTITY, check=lambda i: day.isoformat() in i.sentence, name="date"),
        ],
    )


def letters(lots: Lots) -> World:
    """Two texts that contradict each other in one figure and share one passage."""
    stated, wrong, decoys = _statements(lots)
    shared = (
        f"The agreement with {name_of(lots)} covers the supply of spare parts for all machines, "
        "their delivery within three working days, and the training of the crews on site."
    )
    again = shared.replace("on site", "at the works")
    first = "\n\n".join([*stated, shared, *FILLER[:3]])
    second = "\n\n".join([*FILLER[3:], wrong, again, *decoys])
    return World(
        "letters",
        {"first.txt": first.encode(), "second.txt": second.encode()},
        [
            truth(K.CONTRADICTION, check=lambda i: wrong in i.sentence and stated[0] in i.sentence),
            truth(K.SIMILAR),
        ],
    )


def _statements(lots: Lots) -> tuple[list[str], str, list[str]]:
    """Statements, one that contradicts the first of them, and ones that contradict none."""
    things = lots.permutation(THINGS).tolist()
    verb, unit, stuff = MADE[int(lots.integers(len(MADE)))]
    year, value = int(lots.integers(2012, 2024)), int(lots.integers(120, 980))
    other = value + int(lots.integers(15, 90))
    sums = round(float(lots.uniform(1.5, 9.5)), 1)
    stated = [
        f"In {year}, the {things[0]} {verb} {value} {unit} of {stuff}.",
        f"In {year}, the {things[1]} {verb} {value + 31} {unit} of {stuff}.",
        f"The turnover of the {things[2]} came to {sums} million euros in {year}.",
        f"The {things[3]} had {value % 80 + 7} employees in {year}.",
    ]
    wrong = f"The {things[0]} {verb} {other} {unit} of {stuff} in {year}."
    exact = f"{round(sums * 1e6 + int(lots.integers(-30_000, 30_000))):,}"
    decoys = [
        f"In {year + 1}, the {things[0]} {verb} {value + 77} {unit} of {stuff}.",
        f"In {year}, the turnover of the {things[2]} was {exact} euros.",
        f"The {things[4]} {verb} {value + 12} {unit} of {stuff} in {year}.",
        f"The {things[3]} had {value % 80 + 19} employees in {year + 2}.",
    ]
    return stated, wrong, decoys


def _iban(lots: Lots) -> str:
    """A German account number with the right check digits, of a bank that is not there."""
    digits = "".join(str(d) for d in lots.integers(0, 10, 18))
    check = 98 - int(digits + "131400") % 97
    bare = f"DE{check:02d}{digits}"
    return " ".join(bare[k : k + 4] for k in range(0, len(bare), 4))


def all_of(lots: Lots) -> list[World]:
    return [shop(lots), versions(lots), samples(lots), report(lots), letters(lots)]
