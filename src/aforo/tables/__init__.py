"""The log tables: schema (what a table is), catalog (all of them), one file per table."""
