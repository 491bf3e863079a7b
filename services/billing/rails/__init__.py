"""Rails: ways to move money, each behind the same small port."""
