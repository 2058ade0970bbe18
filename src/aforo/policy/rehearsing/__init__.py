"""A call without a gateway: scripted (the ports, played), trial (a call through a pipeline), rehearsal (texts in, what came
of it out).
"""
