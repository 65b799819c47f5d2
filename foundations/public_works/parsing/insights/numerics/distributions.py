"""Tail probabilities: normal, Student's t, F, chi-square, Poisson and Kolmogorov.

The incomplete beta and gamma functions are computed from their continued fractions and series, as
the NIST Digital Library of Mathematical Functions (DLMF) gives them.
"""

import math

_EPS = 1e-15
_TINY = 1e-300
_MOST_TERMS = 10_000


def normal_two_sided(z: float) -> float:
    """P(|Z| >= |z|) of a standard normal Z (DLMF 7.2.2)."""
    return math.erfc(abs(z) / math.sqrt(2))


def normal_quantile(p: float) -> float:
    """The z with P(Z <= z) = p, for 0 < p < 1, by Newton's method on the logarithm of the tail."""
    if p > 0.5:
        return -normal_quantile(1 - p)
    z = -math.sqrt(-2 * math.log(p)) if p < 0.25 else (p - 0.5) * math.sqrt(2 * math.pi)
    for _ in range(60):
        tail = 0.5 * math.erfc(-z / math.sqrt(2))
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        step = math.log(tail / p) * tail / density
        z -= step
        if abs(step) < 1e-13:
            break
    return z


def student_two_sided(t: float, df: float) -> float:
    """P(|T| >= |t|) of Student's t: I_{df/(df+t^2)}(df/2, 1/2) (Abramowitz and Stegun 26.5.27)."""
    return incomplete_beta(df / 2, 0.5, df / (df + t * t))


def f_upper(f: float, df1: float, df2: float) -> float:
    """P(F >= f): I_{df2/(df2+df1 f)}(df2/2, df1/2) (Abramowitz and Stegun 26.6.2)."""
    return incomplete_beta(df2 / 2, df1 / 2, df2 / (df2 + df1 * max(f, 0.0)))


def chi_square_upper(x: float, df: float) -> float:
    """P(X >= x) of a chi-square distribution: Q(df/2, x/2) (Abramowitz and Stegun 26.4.19)."""
    return incomplete_gamma_upper(df / 2, max(x, 0.0) / 2)


def poisson_at_least(count: int, mean: float) -> float:
    """P(N >= count) of a Poisson variable: P(count, mean), the lower gamma (DLMF 8.4.10)."""
    if count <= 0:
        return 1.0
    return incomplete_gamma_lower(count, mean) if mean > 0 else 0.0


def kolmogorov_upper(distance: float, n: float) -> float:
    """P(D >= distance) of the two-sample statistic, `n` the harmonic size n1 n2 / (n1 + n2).

    Kolmogorov's series with Stephens' (1970) correction for small samples.
    """
    root = math.sqrt(n)
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:
        return 1.0
    terms = (math.copysign(math.exp(-2 * k * k * x * x), k % 2 - 0.5) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by DLMF 8.17.22."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22, evaluated by Lentz's method (DLMF 3.10(iii))."""
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for coefficient in (even, odd):
            d = 1.0 / _nonzero(1.0 + coefficient * d)
            c = _nonzero(1.0 + coefficient / c)
            value *= c * d
        if abs(c * d - 1.0) < _EPS:
            break
    return value


def incomplete_gamma_upper(a: float, x: float) -> float:
    """The regularised Q(a, x): 1 - P by its series, or the continued fraction of DLMF 8.9.2."""
    if x <= 0.0:
        return 1.0
    return 1.0 - _gamma_series(a, x) if x < a + 1 else _gamma_fraction(a, x)


def incomplete_gamma_lower(a: float, x: float) -> float:
    """The regularised P(a, x), precise also where it is small (DLMF 8.7.1)."""
    if x <= 0.0:
        return 0.0
    return _gamma_series(a, x) if x < a + 1 else 1.0 - _gamma_fraction(a, x)


def _gamma_series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for n in range(1, _MOST_TERMS):
        term *= x / (a + n)
        total += term
        if term < total * _EPS:
            break
    return total * math.exp(a * math.log(x) - x - math.lgamma(a))


def _gamma_fraction(a: float, x: float) -> float:
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / _nonzero(b)
    value = d
    for n in range(1, _MOST_TERMS):
        coefficient = -n * (n - a)
        b += 2.0
        d = 1.0 / _nonzero(coefficient * d + b)
        c = _nonzero(b + coefficient / c)
        value *= c * d
        if abs(c * d - 1.0) < _EPS:
            break
    return value * math.exp(a * math.log(x) - x - math.lgamma(a))


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
