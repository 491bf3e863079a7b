"""Every day: what the books say of an account against what the processor or the bank says, and what differs."""
