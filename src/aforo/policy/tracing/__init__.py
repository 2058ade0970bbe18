"""What a call tells about itself: trace (each policy, for who asked), records (`trace` policies, for the log), text (a
trace for people).
"""
