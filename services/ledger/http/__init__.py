"""The ledger's read-only HTTP: balances, entries, statements and trial balances, for finance and auditors."""
