"""The data plane: server, framing, proxy, known, keys, upstream, streaming, encoding, counters, cache, vectors, keeping, metering, metrics, events, kafka, traces, services, record."""
