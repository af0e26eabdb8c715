"""What every program of the package needs: a process that ROS begins and ends, its arguments, its log, its transport.

Imports no other room. Imported by all that is started by name.
"""
