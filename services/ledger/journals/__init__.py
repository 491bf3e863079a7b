"""What ends by itself in the tenants' journals: proposals not approved in time, accounts that are to be closed."""
