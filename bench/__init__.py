"""Measurements side by side with neighbours: `make bench` runs bench.run and writes RESULTS.md. Nothing here is a test.

processes (one process: start, CPU, memory, stop), neighbours (programs of others, the fast upstream), proxies (nginx and
Envoy, bare or with log and limit), figures (cells of tables: medians with their spread),
sse_upstream (an upstream that streams), load (wrk, and single timed calls), system (Aforo under measurement),
visibility (from the end of a response to its row), report (what RESULTS.md says), run (the order of it all),
sections (the parts of RESULTS.md, each written by a program of its own), peers with peer_gateways, peer_report, served
and log_receiver (other gateways in one run with Aforo), streams with held_upstream, held_client and stream_report,
limit_cost and policy_cost (one process, no network), frontier (a folder: rates, bodies, slow upstreams, TLS, a slow disk)
with open_loop and its generator.
"""
