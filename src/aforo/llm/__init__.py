"""Wires of language models: event streams, usage, token estimates, one file per provider form."""
