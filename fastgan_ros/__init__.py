"""The ROS 2 side: programs against rclpy alone; networks and tracks are fastgan_core's.

Which room may import which is a table in ``tests/test_rooms.py``.
"""
