"""Bodies of all POSTs, by what they are about."""
