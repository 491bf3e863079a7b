"""The calls of the API, a module per family; `routes` says which URL is which."""
