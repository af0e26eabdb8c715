"""Drawn scenes whose truth is known, and recorded ones in which an object is hidden: to try and to measure with.

Imports nothing but the shared words. Imported by demos, cameras and tests, never by what tracks.
"""
