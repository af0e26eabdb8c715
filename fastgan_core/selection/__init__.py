"""From a box, strokes or a click to the outline of an object, without a network.

Imports nothing but the shared words, so that an operator's machine needs no torch. Imported by fastgan_ros.
"""
