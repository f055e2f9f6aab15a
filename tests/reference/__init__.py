"""A slow, obvious reading of the specification, written apart from the engine and compared with it.

One reading at a time, plain dictionaries and lists, whole numbers for places. Only ``plans`` knows the engine.
"""
