"""Calls to the outside: from intents in the log to outcomes in the log, each safe to run twice."""
