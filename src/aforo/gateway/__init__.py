"""The data plane: server, proxy, keys, upstream, streaming, encoding, counters, cache, services, record."""
