"""Aforo: an open, Azure-compatible gateway for language models, with a record that loses nothing and KQL over it.

Floors, upper to lower: cli, app, planes (gateway, control, logs, portal, account), snapshot, policy,
languages and edges (csharp, kql, rest, identity, egress), vocabulary (model, tables, llm, settings, spool),
source, errors, messages, regex_size and private_files. ARCHITECTURE.md tells the rest.
"""
