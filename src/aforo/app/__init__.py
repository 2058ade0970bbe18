"""The composition root: supervisor (start, watch, stop), spec (what a process is told), listeners, and one file per
process: gateway, control, account, shipper. recording makes the recorders, scraping answers `/metrics`, watched_backends probes, held_backends tells who is taken out. gateways replaces them while they serve,
covering has one serve the sockets of another, counting chooses what limits count on, counters_server is the Valkey server of
several workers. What planes ask of each other stands in reading, auditing, audiences,
collecting and declaring. examining and examining_reach are what `aforo doctor` looks at. region is a scripted account by itself. The only place where planes meet and settings are read."""
