"""`python -m bench.frontier`: how much, how fast, how large, how slow: Aforo beside nginx and Envoy that log and limit too.

__main__ (order, time limits, what is written), sides (the systems of a part), upstreams (what answers them) with
scripted_upstream (waits or streams); parts: throughput (with search), rates, bodies, mixed, waiting, https, slow_disk
(with slowed).
"""
