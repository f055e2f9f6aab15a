"""A city to practise on: seeded, endless, repeatable readings, and the physical truth beside them."""
