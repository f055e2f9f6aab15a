"""Readings that come over MQTT, brought into the log."""
