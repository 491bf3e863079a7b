"""What services say to each other: topics, events, the envelope. The only place where they meet."""
