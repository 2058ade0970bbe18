"""Templates of `set-body`: templates (compiled, rendered), filters, values (what a template sees)."""
