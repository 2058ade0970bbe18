"""Functions: `spec` says how one is declared, one file per family declares them, `catalog` lists them, `forms` those
that the binder treats one by one, `unsupported` those that are refused by name.

scalar families: logic, text, encodings, parsing, addresses, numbers, measures, times, conversions, dynamics, digests,
series, geo; then aggregates and windows.
How a function is written in SQL stands with its dialect, under the same operation name.
"""
