"""Programs around the tracker: a camera without hardware, masks from files, the demo, the bench.

May import frames, messages and programs; imported by none.
"""
