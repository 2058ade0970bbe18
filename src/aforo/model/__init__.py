"""The resource model: ids, kind (what a kind declares; declare has the short words for it), check (a body against
its declaration), graph, catalog, kinds/<one per kind>; roles, secret, nearest; account_facts (what accounts are told), retention_file (what the shipper is told), external_files (what a workspace lets queries read).
"""
