"""Between topics and arrays: images, stamps, pairs of them, hearing a camera, and what a tracker is asked for.

Imports no other room. Imported by all that talk to a camera or a tracker.
"""
