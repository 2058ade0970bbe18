"""What the product carries: API descriptions and the lab as YAML, policy fragments as XML. A newcomer needs no network."""
