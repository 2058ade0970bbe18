"""Caches: caches (what all of them share), answers and values (by key), value_codec (values as bytes), semantic (by
meaning), semantic_policies (their declarations).
"""
