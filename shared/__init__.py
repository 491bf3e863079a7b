"""What every service shares: words, bytes, the event log. Knows no service."""
