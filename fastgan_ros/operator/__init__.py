"""The operator's window: mark objects in the live picture with the mouse, and send them to a tracker.

A program of its own, on whatever machine the operator sits at; needs no torch. May import messages and programs.
"""
