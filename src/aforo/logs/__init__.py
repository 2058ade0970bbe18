"""The log plane, in two halves that meet in the table files.

Writing: shipper -> intake (frames of the spools) -> projection (some calls at a time) -> project (records to rows; chunks,
promote, backend_route, spending; rows: their columns) -> batch -> delta (commits; columns and day_files: what it commits).
minutes makes metrics of calls, custom_tables what workspaces declare, retention lets go of what is old and has compacting
make few files of many, status says how far the spools are, accounting whether they add up. What is for other places than
the tables goes out by delivery.

Whoever watches the shipper hears of each call once: tally_file (tally: Prometheus' metrics), otlp (spans and
genai_metrics for OpenTelemetry).

Asking, from the outside in:
api             Azure Monitor's query API: asking (requests, timespan), answers, exporting (files)
kusto_api       Kusto's, v1 and v2: kusto_options (requests), kusto_answers (v1, schemas, errors), kusto_frames (v2);
                commands: kusto_commands, kusto_shows, kusto_changes
editing_api     editors: completion and mistakes; runs nothing
graph_api       the resources themselves, in KQL
reader          who may ask what, and the audit row; external_files fetches what `externaldata` names
query           the pool of processes; question is the vocabulary that both sides share
engine          one process -> evaluate: metadata, content (bodies), given and external_rows (rows that come along),
                versions, flags (files), sandbox, watchdog, failures

Taking in: ingest_api, kusto_ingest (formats, mappings, cells) -> ingest, which writes into the spool.
"""
