"""`python -m bench.frontier`: how much, how fast, how large, how slow: Aforo beside nginx and Envoy that log and limit too.

__main__ (order, time limits, what is written), sides (the systems of a part), proxies (configurations of nginx and Envoy),
scripted_upstream (waits or streams), tables (cells and spreads); parts: throughput (with search), rates, bodies,
mixed, waiting, https, slow_disk (with slowed).
"""
