"""Fast video object segmentation with spatio-temporal GANs: networks, tracker, training. Knows no ROS.

Five modules here are words that every room uses: ``errors``, ``settings``, ``labels`` (frames and label images in
memory), ``tracked`` (what is said about a frame) and ``kept`` (between two starts). All else is in a room, whose first
lines say what lives there; which room may import which is a table in ``tests/test_rooms.py``.
"""

__version__ = "0.1.0"
