"""Makes the shipped city from a seed: real names and codes (shengzhou.json), everything else invented.

Stages, in the order of `build`: ground, leaves (the tiling), communities, sites, sensors, zone sets, files.
The same seed gives the same bytes.
"""
