"""What compiled expressions call: one corner of .NET per file."""
