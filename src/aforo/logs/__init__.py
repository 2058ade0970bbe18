"""The log plane: shipper, delta, retention, engine, query, api."""
