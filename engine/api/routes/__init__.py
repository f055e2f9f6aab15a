"""The routes, a module for each thing that callers ask about."""
