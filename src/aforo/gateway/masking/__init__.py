"""Data masking of what is written down about a call, before it reaches the spool.

detectors: shapes found in a text. keys: shapes of keys. written: the same where the text is escaped. bodies: JSON and
plain bodies. streams: event streams, also where events cut a match in two. marks: what stands instead. masker: a whole
record.
"""
