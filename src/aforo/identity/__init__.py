"""Who is who: keys (the secrets of an installation), seal, ca and tls_files; access (principals and roles);
issue (the local issuer), endpoints (its HTTP face); jwt (tokens of any issuer), verify (its own); managed and
identity_sources (the gateway's identity); debug_token (who may trace).
"""
