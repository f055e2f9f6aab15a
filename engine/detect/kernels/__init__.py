"""The fixed set of compiled loops. A rule is parameters to them; nothing is compiled when a rule is edited."""
