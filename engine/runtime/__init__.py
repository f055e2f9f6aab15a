"""The engine as a running system: the log, the loops between its streams, and what survives a crash."""
