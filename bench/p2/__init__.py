"""P2: Kafka to `city.alerts`, side by side with peers."""
