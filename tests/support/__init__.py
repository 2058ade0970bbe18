"""Doubles and harnesses: system (the whole product as a subprocess), answering (a small HTTP server), asgi."""
