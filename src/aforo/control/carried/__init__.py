"""API descriptions that the product carries, as YAML: what a newcomer imports without a network."""
