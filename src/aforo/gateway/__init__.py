"""The data plane: a call from its first byte to its record.

server      the client's side; with draining (how it ends), framing, proxy_protocol, client_certificate, call (one call),
            crowd (whose connection ends when there are too many, and the room for bodies), unserved (who came to no call)
proxy       the way of a call, in one sentence; with signal (how it waits), turns (of the loop), known (what is remembered
            of targets and keys), keys, addresses, usage (asking for it), encoding
upstream    the backend's side: backends, models, credentials, redirects, arrival (the answer on its way), first_byte
route       which backend a call goes to, and what each attempt came to (tried): pools (members), breakers (who is taken
            out), retry_after, probes, trips (told)
beforehand  what is done before policies, where a configuration wants it: budgets, owned (stateful calls, with owners,
            their database), trace_context; model_errors (refusals in their clients' form)
streaming   the answer to the client; keeping (what caches store), released (streams that policies read), metering
record      what is written down (of a message: logged_messages); large_records (in slices, with writing: who waits for
            it), refused_record (calls without an operation), lost_records (what the spool did not take), traces, metrics, masking/ (what may be)
services    what policies get (the ports of policy/services.py): cache, vectors, external_cache, external_vectors,
            certificates, signing_keys, authorizations, outbound, events, kafka
counters    of limits, in memory (windows; counter_journal and counter_replay keep them over a kill) or on a server that
            workers share (valkey_counters, valkey_scripts, valkey_leases)
"""
