"""The same engine on Apache Kafka and PostgreSQL; faust is known to app.py and agents.py only."""
