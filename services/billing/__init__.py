"""Billing: accounts, invoices, payments and their attempts on the rails."""
