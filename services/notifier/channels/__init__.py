"""Ways to reach a person; mail is the first."""
