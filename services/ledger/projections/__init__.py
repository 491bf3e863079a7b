"""What the ledger answers from: balances, entries, reconciliation."""
