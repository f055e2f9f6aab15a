"""What counts: rules, the expressions in them, the kinds and sensors that they read, and the plan of all of it."""
