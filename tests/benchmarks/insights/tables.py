"""Tables with truths planted into them, and noise of many kinds about them."""

import csv
import datetime as dt
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.benchmarks.insights.truths import K, World, figure, truth

Lots = np.random.Generator
Columns = dict[str, list[Any]]


def csv_of(columns: Columns) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def written(values: Any, digits: int = 3) -> list[str]:
    return [f"{value:.{digits}f}" for value in values]


def noise(lots: Lots, n: int) -> np.ndarray:
    """Independent values of one of many distributions."""
    match lots.integers(7):
        case 0:
            return lots.normal(50, 9, n)
        case 1:
            return lots.lognormal(3, 0.8, n)
        case 2:
            return lots.uniform(-5, 20, n)
        case 3:
            return lots.exponential(12, n)
        case 4:
            return lots.gamma(2.5, 4, n)
        case 5:
            return 100 + 10 * _heavy(lots, n)
        case _:
            return lots.poisson(9, n).astype(float)


def _heavy(lots: Lots, n: int) -> np.ndarray:
    """Student's t of six degrees of freedom, without what anybody would call an outlier."""
    drawn = lots.standard_t(6, n)
    return np.where(np.abs(drawn) < 6, drawn, lots.normal(0, 1, n))


def labels(lots: Lots, n: int, names: Sequence[str], *, even: bool = False) -> list[str]:
    weights = (
        np.full(len(names), 1 / len(names)) if even else lots.dirichlet(np.full(len(names), 6.0))
    )
    return [names[i] for i in lots.choice(len(names), n, p=weights)]


COLOURS = ("amber", "blue", "crimson", "dusky", "ebony")
PLACES = ("Northgate", "Eastfield", "Southport", "Westbrook")
TEAMS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")


def still(lots: Lots) -> World:
    """Nothing but noise."""
    n = int(lots.integers(60, 900))
    columns: Columns = {f"m{i}": written(noise(lots, n)) for i in range(int(lots.integers(4, 12)))}
    columns |= {f"g{i}": labels(lots, n, COLOURS) for i in range(3)}
    columns["h"] = labels(lots, n, PLACES)
    return World("still", {"still.csv": csv_of(columns)}, [])


def few(lots: Lots) -> World:
    """Nothing but noise, and little of it."""
    n = int(lots.integers(8, 45))
    columns: Columns = {
        f"m{i}": written(noise(lots, n), 1) for i in range(int(lots.integers(3, 9)))
    }
    columns |= {f"g{i}": labels(lots, n, COLOURS[:3]) for i in range(3)}
    return World("few", {"few.csv": csv_of(columns)}, [])


def book(lots: Lots) -> World:
    """An honest book: names, flags, counts, zeros, odd shapes, and nothing wrong or related."""
    n = int(lots.integers(150, 900))
    start = dt.date(2022, 1, 1)
    people = list(dict.fromkeys(name_of(lots) for _ in range(int(lots.integers(20, 120)))))
    discount = np.where(lots.random(n) < 0.8, 0.0, np.round(lots.uniform(1, 15, n), 1))
    columns: Columns = {
        "entry_id": [f"E{k:05d}" for k in lots.permutation(n)],
        "booked": [
            (start + dt.timedelta(days=int(d))).isoformat() for d in lots.integers(0, 500, n)
        ],
        "person": labels(lots, n, people),
        "branch": labels(lots, n, PLACES),
        "status": [("open", "paid", "late")[k] for k in lots.choice(3, n, p=[0.2, 0.75, 0.05])],
        "urgent": [("true", "false")[k] for k in lots.choice(2, n, p=[0.15, 0.85])],
        "amount": written(lots.lognormal(4, 0.9, n), 2),
        "pieces": [int(k) for k in lots.poisson(3, n)],
        "discount_percent": written(discount, 1),
        "rating": [int(k) for k in lots.integers(1, 6, n)],
        "returns": [int(k) for k in lots.poisson(0.05, n)],
        "pages": [int(k) for k in lots.negative_binomial(2, 0.1, n)],
        "wait_minutes": written(lots.weibull(1.3, n) * 20, 1),
        "share": written(lots.beta(0.7, 0.9, n), 3),
    }
    return World("book", {"book.csv": csv_of(columns)}, [])


def study(lots: Lots) -> World:
    """Relations between columns of a cross-section: lines, curves, groups, associations."""
    n = int(lots.integers(400, 1200))
    colour, place = labels(lots, n, COLOURS, even=True), labels(lots, n, PLACES, even=True)
    base, far = lots.normal(0, 1, n), lots.normal(0, 1, n)
    r = float(lots.uniform(0.45, 0.95)) * float(lots.choice([-1, 1]))
    line = r * base + math.sqrt(1 - r * r) * lots.normal(0, 1, n)
    steep = np.exp(0.9 * far + lots.normal(0, 0.4, n))
    bent = lots.uniform(-2, 2, n)
    arch = -(bent**2) + lots.normal(0, 0.9, n)
    shifts = dict(zip(COLOURS, lots.permutation([-1.2, -0.6, 0.0, 0.6, 1.2]), strict=True))
    grouped = np.array([shifts[c] for c in colour]) * lots.uniform(0.7, 1.5) + lots.normal(0, 1, n)
    follows = dict(zip(PLACES, lots.permutation(TEAMS)[:4], strict=True))
    hold = float(lots.uniform(0.4, 0.8))
    team = [follows[p] if lots.random() < hold else str(lots.choice(TEAMS[:6])) for p in place]
    weak = 0.1 * base + math.sqrt(1 - 0.01) * lots.normal(0, 1, n)
    hint = np.array([0.1 * PLACES.index(p) for p in place]) + lots.normal(0, 1, n)
    columns: Columns = {
        "base": written(20 + 4 * base),
        "line": written(100 + 15 * line),
        "far": written(7 * far),
        "steep": written(steep, 4),
        "bent": written(bent),
        "arch": written(10 + arch),
        "colour": colour,
        "grouped": written(grouped * 3 + 40),
        "place": place,
        "team": team,
        "weak": written(weak),
        "hint": written(hint),
        "idle": written(noise(lots, n)),
        "mood": labels(lots, n, ("calm", "cross", "glad")),
    }
    return World(
        "study",
        {"study.csv": csv_of(columns)},
        [
            truth(
                K.CORRELATION, of=["base", "line"], check=lambda i: figure(i, "pearson_r") * r > 0
            ),
            truth(K.CORRELATION, of=["far", "steep"]),
            truth(K.CURVE, of=["bent", "arch"]),
            truth(K.DIFFERENCE, of=["colour", "grouped"]),
            truth(K.ASSOCIATION, of=["place", "team"]),
        ],
        silent=[
            truth(K.CORRELATION, K.CURVE, of=["base", "weak"]),
            truth(K.CORRELATION, K.CURVE, of=["line", "weak"]),
            truth(K.DIFFERENCE, of=["place", "hint"]),
            truth(K.DIFFERENCE, of=["team", "hint"]),
        ],
    )


def station(lots: Lots) -> World:
    """A sensor's days: a season, a trend, a break, and the ways sensors fail."""
    n = int(lots.integers(420, 900))
    start = dt.date(2021, 1, 1) + dt.timedelta(days=int(lots.integers(0, 300)))
    days = [start + dt.timedelta(days=k) for k in range(n)]
    weekday = np.array([day.weekday() for day in days])
    week = lots.permutation([-2.0, -1.2, -0.5, 0.2, 0.8, 1.2, 1.5])
    seasonal = 30 + lots.uniform(0.9, 2) * week[weekday] + lots.normal(0, 1, n)
    rise = float(lots.uniform(2.0, 5)) * float(lots.choice([-1, 1]))
    trended = 200 + rise * np.arange(n) / n * 4 + lots.normal(0, 3.2, n)
    at = int(lots.uniform(0.2, 0.8) * n)
    shift = float(lots.uniform(2.0, 4)) * float(lots.choice([-1, 1]))
    broken = 75 + 2 * (shift * (np.arange(n) >= at) + lots.normal(0, 1, n))
    walk = np.cumsum(lots.normal(0, 1, n))
    other_walk = np.cumsum(lots.normal(0, 1, n))
    slow = _autoregressive(lots, n, 0.7)
    frozen = lots.normal(12, 2, n)
    first = int(lots.integers(20, n - 60))
    length = int(lots.integers(9, 30))
    frozen[first : first + length] = frozen[first]
    marked = lots.normal(300, 25, n)
    lost = lots.choice(n, int(lots.integers(8, 25)), replace=False)
    marked[lost] = -999
    wild = lots.normal(5, 0.8, n)
    strange = int(lots.integers(0, n))
    wild[strange] = 5 + float(lots.choice([-1, 1])) * float(lots.uniform(10, 30))
    keep = np.ones(n, dtype=bool)
    hole = int(lots.integers(30, n - 80))
    while (
        first - 20 <= hole <= first + length + 5 or abs(hole - strange) < 25 or abs(hole - at) < 25
    ):
        hole = int(lots.integers(30, n - 80))
    keep[hole : hole + int(lots.integers(6, 15))] = False
    columns: Columns = {
        "day": [day.isoformat() for day in days],
        "seasonal": written(seasonal, 2),
        "trended": written(trended, 2),
        "broken": written(broken, 2),
        "walk": written(walk),
        "other_walk": written(other_walk),
        "slow": written(slow),
        "frozen": written(frozen, 3),
        "marked": written(marked, 1),
        "wild": written(wild, 3),
        "white": written(lots.normal(0, 1, n)),
    }
    columns = {
        name: [v for v, k in zip(cells, keep, strict=True) if k] for name, cells in columns.items()
    }
    row = 1 + int(keep[:strange].sum())
    frozen_row = 1 + int(keep[:first].sum())
    when = days[at]
    return World(
        "station",
        {"station.csv": csv_of(columns)},
        [
            truth(K.SEASON, of=["day", "seasonal"], check=lambda i: "weekday" in i.sentence),
            truth(
                K.TREND, of=["day", "trended"], check=lambda i: figure(i, "spearman_rho") * rise > 0
            ),
            truth(
                K.BREAK,
                of=["day", "broken"],
                check=lambda i: abs((dt.date.fromisoformat(figure(i, "at")) - when).days) <= 10,
            ),
            truth(K.STUCK, of=["frozen"], rows=[frozen_row]),
            truth(K.PLACEHOLDER, of=["marked"]),
            truth(K.OUTLIER, of=["wild"], rows=[row]),
            truth(K.GAP, of=["day"]),
        ],
    )


def _autoregressive(lots: Lots, n: int, keeps: float) -> np.ndarray:
    found = np.empty(n)
    found[0] = lots.normal()
    for k in range(1, n):
        found[k] = keeps * found[k - 1] + lots.normal()
    return found


SYLLABLES = ("ka", "lo", "mi", "ren", "sto", "va", "ber", "dan", "fel", "gur", "hol", "jas")


def name_of(lots: Lots) -> str:
    return "".join(lots.choice(SYLLABLES, 3)).capitalize()


def ledger(lots: Lots) -> World:
    """A business's book: sums that do not add up, double entries, one large customer."""
    n = int(lots.integers(350, 800))
    customers = list(dict.fromkeys(name_of(lots) for _ in range(40)))
    weights = np.full(len(customers), 0.9 / (len(customers) - 1))
    weights[0] = 0.1
    who = lots.choice(len(customers), n, p=weights)
    quantity = lots.integers(1, 30, n)
    price = np.round(lots.lognormal(2.5, 0.6, n), 2)
    price[who == 0] = np.round(price[who == 0] * 22, 2)
    total = np.round(quantity * price, 2)
    wrong = [int(k) for k in lots.choice(n, int(lots.integers(1, 4)), replace=False)]
    total[wrong] = np.round(total[wrong] * 1.37 + 3, 2)
    town = labels(lots, n, PLACES, even=True)
    state = {
        "Northgate": "N-land",
        "Eastfield": "N-land",
        "Southport": "S-land",
        "Westbrook": "S-land",
    }
    region = [state[t] for t in town]
    odd = next(k for k in lots.permutation(n).tolist() if k not in wrong)
    region[odd] = "S-land" if region[odd] == "N-land" else "N-land"
    start = dt.datetime.fromisoformat("2024-01-01")
    moments = sorted(start + dt.timedelta(minutes=int(m)) for m in lots.integers(0, 500_000, n))
    ids = [10_000 + 7 * k for k in range(n)]
    who_names = [customers[k] for k in who]
    misspelt = next(k for k in lots.permutation(n).tolist() if town[k] == "Southport" and k != odd)
    town[misspelt] = "Southprot"
    rows = [
        [ids[k], moments[k].isoformat(sep=" "), who_names[k], town[k], region[k], int(quantity[k]),
         f"{price[k]:.2f}", f"{total[k]:.2f}", f"{who_names[k].lower()}{k % 5}@example.org"]
        for k in range(n)
    ]  # fmt: skip
    special = {odd, misspelt, *wrong}
    free = [k for k in lots.permutation(n).tolist() if k not in special]
    for k in free[:2]:
        rows[k][8] = "no mail"
    stray = free[2]
    rows[stray][5] = "a few"
    rows.append([ids[-1] + 7, *rows[free[3]][1:]])
    rows.append([ids[-1] + 14, *rows[free[4]][1:]])
    again = free[5]
    rows.append(list(rows[again]))
    header = [
        "order_id",
        "moment",
        "customer",
        "town",
        "region",
        "quantity",
        "price",
        "total",
        "email",
    ]
    columns: Columns = {name: [row[k] for row in rows] for k, name in enumerate(header)}
    implied = [
        truth(K.CORRELATION, of=["price", "total"]),
        truth(K.CORRELATION, of=["quantity", "total"]),
        truth(K.CONCENTRATION, of=["customer", "price"]),
        truth(K.KEY, of=["order_id"]),
        truth(K.DISTRIBUTION, of=["price"]),
    ]
    return World(
        "ledger",
        {"ledger.csv": csv_of(columns)},
        [
            truth(K.RULE, of=["quantity", "price", "total"], rows=[1 + min(wrong)]),
            truth(K.RULE, of=["town", "region"], rows=[1 + odd]),
            truth(K.VARIANT, of=["town"], rows=[1 + misspelt]),
            truth(K.MIXED_TYPES, of=["quantity"], rows=[1 + stray]),
            truth(K.INVALID, of=["email"], rows=[1 + min(free[:2])]),
            truth(K.NEAR_DUPLICATE, of=["order_id"], rows=[1 + free[3], n + 1]),
            truth(K.DUPLICATE, rows=[n + 3]),
            truth(
                K.CONCENTRATION,
                of=["customer", "total"],
                check=lambda i: customers[0] in i.sentence,
            ),
        ],
        implied=implied,
    )


def bodies(lots: Lots) -> World:
    """Rows that are usual one value at a time; two kinds of things in one column; odd digits."""
    n = int(lots.integers(400, 900))
    size = lots.normal(0, 1, n)
    height = 170 + 9 * size
    weight = 70 + 11 * (0.93 * size + math.sqrt(1 - 0.93**2) * lots.normal(0, 1, n))
    odd = int(lots.integers(0, n))
    sign = float(lots.choice([-1, 1]))
    height[odd], weight[odd] = 170 + sign * 9 * 2.0, 70 - sign * 11 * 2.0
    kind = lots.random(n) < lots.uniform(0.3, 0.7)
    split = np.where(kind, lots.normal(20, 1.5, n), lots.normal(20 + lots.uniform(12, 20), 1.5, n))
    sums = 10 ** lots.uniform(1, 5, n)
    made_up = lots.random(n) < 0.35
    sums[made_up] = lots.uniform(4, 5, n)[made_up] * 10 ** lots.integers(1, 5, n)[made_up]
    sums = np.round(sums, 2)
    gone = lots.choice(n, int(lots.uniform(0.05, 0.3) * n), replace=False)
    blood = np.array(written(noise(lots, n)), dtype=object)
    pulse = np.array(written(noise(lots, n)), dtype=object)
    blood[gone] = pulse[gone] = ""
    columns: Columns = {
        "height": written(height, 1),
        "weight": written(weight, 1),
        "split": written(split, 2),
        "sums": written(sums, 2),
        "blood": blood.tolist(),
        "pulse": pulse.tolist(),
        "version": ["7"] * n,
        "idle": written(noise(lots, n)),
        "claims": written(_claims(lots, n), 2),
    }
    return World(
        "bodies",
        {"bodies.csv": csv_of(columns)},
        [
            truth(K.CORRELATION, of=["height", "weight"]),
            truth(K.COMBINATION, of=["height", "weight"], rows=[1 + odd]),
            truth(K.DISTRIBUTION, of=["split"]),
            truth(K.BENFORD, of=["sums"]),
            truth(K.MISSING, of=["blood", "pulse"]),
            truth(K.CONSTANT, of=["version"]),
            truth(K.CONCENTRATION, of=["claims"]),
        ],
        implied=[truth(K.CONCENTRATION, of=["sums"]), truth(K.OUTLIER, of=["claims"])],
    )


def _claims(lots: Lots, n: int) -> np.ndarray:
    """Sums two thirds of which, at least, stand in a tenth of the rows."""
    while True:
        drawn = np.sort(100 * (1 + lots.pareto(0.9, n)))
        if drawn[-math.ceil(n / 10) :].sum() > 0.66 * drawn.sum():
            return lots.permutation(drawn)


def wide_noise(lots: Lots, columns: int = 200) -> dict[str, np.ndarray]:
    """Columns that know nothing of each other."""
    n = int(lots.choice([12, 25, 60, 200, 800]))
    return {f"c{i}": noise(lots, n) for i in range(columns)}


def all_of(lots: Lots) -> list[World]:
    return [
        still(lots),
        few(lots),
        book(lots),
        study(lots),
        station(lots),
        ledger(lots),
        bodies(lots),
    ]
