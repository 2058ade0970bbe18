"""The log plane, in two halves that meet in the table files.
Writing: shipper, intake, project, chunks, promote, rows, custom_tables, minutes, delta, retention, status.
Asking: api, kusto_api (shapes: answers, kusto_answers, kusto_frames, kusto_options, asking, timespan, exporting;
commands: kusto_commands, kusto_shows, kusto_changes) -> reader (rights, audit) -> query (the pool) -> engine (a
process) -> evaluate (metadata, content, given, versions, flags, sandbox, watchdog, failures); question is their
vocabulary. editing_api answers editors and runs nothing; graph_api asks the
resources themselves.
Taking in: ingest_api, kusto_ingest (formats, cells) -> ingest, which writes into the spool.
"""
