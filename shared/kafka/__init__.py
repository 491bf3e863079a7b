"""Kafka, the courier: settings, topics, publisher, inbox. Nothing here is trusted for correctness."""
