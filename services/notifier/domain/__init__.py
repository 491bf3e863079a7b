"""Which notices are planned and how they end: values and functions only."""
