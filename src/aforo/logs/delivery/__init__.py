"""Logs on their way to storage and event hubs, beside the tables and independent of them.

held        segments of spools that some destination still needs
forms       what a row becomes in a batch: a line, or a row with its columns' names; lines: as Azure writes them
outbox      batches that are decided and not delivered yet, with the positions that they reach
destination one place: what is read for it, and how far it is
folder, objects, tables, events: the places; stores: the storage that objects and tables lie in
delivering  all of them, as the shipper's process runs them; state: how far they are, for whoever asks
"""
