"""Logs on their way to storage and event hubs, beside the tables and independent of them.

held        segments of spools that some destination still needs
lines       records as Azure writes them to such places
outbox      batches that are decided and not delivered yet, with the positions that they reach
destination one place: what is read for it, and how far it is
folder, objects, events: the places
delivering  all of them, as the shipper's process runs them; state: how far they are, for whoever asks
"""
