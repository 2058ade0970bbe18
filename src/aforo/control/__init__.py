"""The control plane. api (ARM over the graph; with render, imports, access, audit), commit (the one door; with
plan, desired), store, secrets, build, build_log and build_masking (graph to bundle), publish, apply and yaml_tree (desired state
in), export (out), log_tables and query_texts (what workspaces declare, and its KQL), fragment_texts, openapi, lab, live (addresses known at run time), debugging (tokens and traces), effective_policy, directory (who exists), carried/ (texts).
"""
