"""What answers behind the local account: engine (the port), llama with llama_process (a small real model in a process
of its own), scripted (for tests and benchmarks), choose (which of them).
"""
