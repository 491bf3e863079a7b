"""The event log: tables, the writer, cursors, the relay, projections. The same in all services."""
