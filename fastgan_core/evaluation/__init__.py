"""How good masks are and what they cost: metrics, scoring on data sets, baselines, results on disk, speed.

May import data, media, tracking, running and model. Imported by training and commands.
"""
