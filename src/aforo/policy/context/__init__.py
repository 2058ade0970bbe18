"""`context` of expressions: types (what can be reached), service (API, user and the like), values (headers, queries,
URLs), tokens (JWTs and basic credentials as texts hold them).
"""
