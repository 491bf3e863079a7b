"""The HTTP side: one table of operations, from which requests are routed and the OpenAPI document is made."""
