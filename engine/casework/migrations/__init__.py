"""Revisions of the case store, run by engine.casework.store.upgrade."""
