"""The gateway: the one door for people and processors; it authenticates, validates, appends, and answers questions."""
