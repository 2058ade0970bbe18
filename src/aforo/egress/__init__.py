"""Every outbound connection of the product: resolve, policy (what may be reached), tls, http1, pool."""
