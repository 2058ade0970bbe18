"""The data plane: server, framing, proxy, known, keys, upstream, streaming, released, encoding, counters, cache, vectors, keeping, metering, metrics, events, kafka, traces, services, record."""
