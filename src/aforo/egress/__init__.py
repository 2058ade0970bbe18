"""Every outbound connection of the product but the Kafka client's own: resolve, policy (what may be reached), tls, tunnel
(over a proxy), http1 (one connection), pool (many), fetch (a whole request); resp (one connection to a Valkey server),
valkey (the server); kafka (where a cluster is, and a producer for it).
"""
