"""Raw records to columns: a scanner for the common shapes, a slow exact path for all others."""
