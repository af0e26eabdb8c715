"""Training clips from video folders and still images; and the folders of DAVIS and YouTube-VOS.

May import media. Imported by training and evaluation.
"""
