"""Tokens: keys, issue, verify; the local issuer and the managed-identity endpoint."""
