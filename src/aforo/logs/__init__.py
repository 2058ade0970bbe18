"""The log plane, in two halves that meet in the table files.
Writing: shipper, intake, project, chunks, promote, rows, minutes, delta, retention, status.
Asking: api, kusto_api (shapes: answers, kusto_answers, asking, timespan) -> reader (rights, audit) -> query (the
pool) -> engine (a process) -> evaluate (metadata, versions, flags, sandbox, watchdog, failures); question is their
vocabulary.
"""
