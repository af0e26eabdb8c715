"""Pictures, masks, videos and rosbag2 in files, ROS image encodings, and label images in colour.

Imports nothing but the shared words: no torch, no ROS. Imported by all that read or write files, and by fastgan_ros.
"""
