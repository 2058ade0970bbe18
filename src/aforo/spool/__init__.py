"""Frames on disk: what the planes write down and the log plane reads.

records   what a frame carries (calls, contexts, rows)
frame     the bytes of frames and segments: encode, check, find the next good one after damage
writer    SpoolWriter: one process appends, each frame is in the kernel before the call returns
recover   opening a spool again after a kill
sync      bringing it to the disk from another process
dropped   what a writer could not keep, counted in one block that is always there
reader    SpoolReader: follows the segments of one writer, gives back disk space
"""
