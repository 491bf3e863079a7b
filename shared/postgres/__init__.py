"""PostgreSQL: connection settings, migrations, provisioning, and a thin layer over libpq for the event log."""
