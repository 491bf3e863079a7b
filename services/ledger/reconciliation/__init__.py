"""Every day: what the books say of an account against what the processor (later the bank) says."""
