"""The local stack: PostgreSQL, Kafka, identity, mail, card simulator and the services, without Docker."""
