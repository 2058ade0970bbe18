"""The data plane: server, proxy, known, keys, upstream, streaming, encoding, counters, cache, services, record."""
