"""The frozen noun between control and gateway: snapshot (data), routes (matching), build (compiling a runtime)."""
