"""Doubles and harnesses: system (the whole product as a subprocess)."""
