"""Functions of statistics, and conversions between units of measure."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import REAL

_UNITS = ("angle", "energy", "force", "length", "mass", "speed", "temperature", "volume")
_WELCH = ", ".join(f"{part}{i}:real|number" for i in (1, 2) for part in ("mean", "variance", "count"))

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("gamma", "x:real|number", REAL, "The gamma function.", naming=Naming.FIRST_ARGUMENT),
    scalar("loggamma", "x:real|number", REAL, "The logarithm of the gamma function.", naming=Naming.FIRST_ARGUMENT),
    scalar("erf", "x:real|number", REAL, "The error function.", naming=Naming.FIRST_ARGUMENT),
    scalar("erfc", "x:real|number", REAL, "1 less the error function.", naming=Naming.FIRST_ARGUMENT),
    scalar("beta_cdf", "x:real|number, alpha:real|number, beta:real|number", REAL, "The beta distribution up to a value."),
    scalar("beta_inv", "probability:real|number, alpha:real|number, beta:real|number", REAL, "Where the beta distribution reaches a probability."),
    scalar("beta_pdf", "x:real|number, alpha:real|number, beta:real|number", REAL, "The density of the beta distribution."),
    scalar("welch_test", _WELCH, REAL, "The probability that two means are equal."),
    *(
        scalar(f"convert_{unit}", "value:real, from:string, to:string", REAL, f"A value of one unit of {unit} in another.")
        for unit in _UNITS
    ),
)  # fmt: skip
