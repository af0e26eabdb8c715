"""Clips from video folders and from still images."""
