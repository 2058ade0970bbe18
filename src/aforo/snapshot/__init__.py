"""The frozen noun between control and gateway: snapshot (data), bundle_file (signed, on disk), sealed (its secrets),
build (compiling it), schemas -> runtime (ready to serve) with routes (matching); stand_in (what serves meanwhile).
"""
