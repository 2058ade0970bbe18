"""The `aforo` command: one file per command group, and the four things that they share.

main (the program), up, init, upstream (what init asks a model server), apply (and export), query, chart
(pictures of answers), stopped (asking without a running system), policy, chat, status, doctor, demo; yaml_text (edits of a file); exits (exit codes and failures), terminal (what a person sees),
running (the running system), accounts (its models), http (one request).
"""
