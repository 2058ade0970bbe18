"""What answers behind the local account: llama (a small real model) and scripted (for tests and benchmarks)."""
