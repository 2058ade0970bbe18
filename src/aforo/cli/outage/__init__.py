"""`aforo demo outage`: load, faults, and what was lost by them.

stage (the processes, and how each dies), load (clients that count what they saw), record (what the rows say, beside
that), story (which fault comes when), picture (what a person sees of it on a terminal), screen (the same as lines in a pipe).
"""
