"""Who is who: keys (the secrets of an installation), seal, ca; access (principals and roles);
issue (the local issuer), endpoints (its HTTP face), verify; managed and identity_sources (the gateway's identity); debug_token (who may trace).
"""
