"""The four services; they never import each other and meet in `shared.contracts`."""
