"""Policies: documents and scopes, the exchange they work on, the ports they need, their compiler, elements/<one per policy>."""
