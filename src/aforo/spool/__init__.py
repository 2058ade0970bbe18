"""Frames on disk: what the planes write down and the log plane reads. records, frame, writer, reader."""
