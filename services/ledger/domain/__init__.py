"""What the ledger decides: values and functions only."""
