"""The operations page: static files, served by the app; no build step, no internet."""
