"""One file per resource kind: properties, rules, references, secrets, as data."""
