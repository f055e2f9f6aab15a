"""Mutants of the engine: small mistakes, listed, each of which the property tests must find (`make mutants`)."""
