"""Functions: `spec` says how one is declared, one file per family declares them, `catalog` lists them all.

scalar families: logic, text, numbers, times, conversions, dynamics; then aggregates and windows.
How a function is written in SQL stands with its dialect, under the same operation name.
"""
