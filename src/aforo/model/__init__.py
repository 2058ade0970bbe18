"""The resource model: ids, kind (what a kind declares), graph, catalog, kinds/<one per kind>."""
