"""Functions of digests: what `hll` and `tdigest` have collected."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import DYNAMIC, LONG, REAL

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("dcount_hll", "hll:dynamic", LONG, "The number of distinct values.", naming=Naming.PREFIX_FIRST),
    scalar("hll_merge", "hll:dynamic...", DYNAMIC, "The digest of all.", naming=Naming.PREFIX, prefix="hll_merged_result"),
    scalar("tdigest_merge", "tdigest:dynamic...", DYNAMIC, "The digest of all.", naming=Naming.PREFIX,
           prefix="tdigests_merge_result"),
    scalar("merge_tdigest", "tdigest:dynamic...", DYNAMIC, "The digest of all.", operation="tdigest_merge",
           naming=Naming.PREFIX, prefix="tdigests_merge_result"),
    scalar("percentile_tdigest", "tdigest:dynamic, percentile:real", DYNAMIC, "The value at a percentile.",
           naming=Naming.PREFIX_FIRST),
    scalar("percentiles_array_tdigest", "tdigest:dynamic, percentile:number_or_array...", DYNAMIC,
           "The values at percentiles.", naming=Naming.PREFIX_FIRST, prefix="percentile_tdigest"),
    scalar("percentrank_tdigest", "tdigest:dynamic, value:any", REAL, "How many percent are not greater."),
    scalar("rank_tdigest", "tdigest:dynamic, value:any", REAL, "How many are not greater."),
)  # fmt: skip
