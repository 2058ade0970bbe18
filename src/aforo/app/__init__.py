"""The composition root: the only place where planes meet and settings are read.

supervisor       starts, watches and stops what a system is made of, and syncs its spools (spool_sync); ownership (of the
                 data directory), listeners, journal (its own log); child (one process), spec (what it is told and says),
                 counters_server with counters_exec (the Valkey of several workers), gateways (replaced while they serve)
gateway_process  calls: counting (what limits count on), recording (the recorders), gateway_identity and identity_places
                 (tokens, keys), https_listener and certificates, covering (the sockets of dead siblings), watched_backends
                 (probes), in_force and held_backends (what is told in files), housekeeping, heap, held_loop, ending_threads
control_process  resources and questions, over http_server; what planes ask of each other: reading, resource_rows,
                 auditing, audiences, collecting, declaring; scraping (`/metrics`)
shipper_process  logs
account_process  the local account; region: one by itself
last_words       what a process says that fails, and log_flood: how often
examining        what `aforo doctor` looks at, and examining_reach: what it asks
"""
