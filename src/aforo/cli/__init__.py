"""The `aforo` command: one file per command group."""
