"""Frames on disk: what the planes write down and the log plane reads.

records   what a frame carries (calls, contexts, rows)
frame     the bytes of frames and segments: encode, check, find the next good one after damage
parts     a record with large bodies as bytes that are not copied
writer    SpoolWriter: one process appends, each frame is in the kernel before the call returns
aside     a large frame that is written in slices beside the segments
space     room on the disk, reserved before it is needed
recover   opening a spool again after a kill
sync      bringing it to the disk from another process
dropped   what a writer could not keep, counted in one block that is always there
reader    SpoolReader: follows the segments of one writer, gives back disk space
"""
