"""The notifier: which notice a fact causes, and its one delivery."""
