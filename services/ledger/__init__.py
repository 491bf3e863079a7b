"""The ledger: balanced entries for what billing decided, balances, and each day's reconciliation."""
