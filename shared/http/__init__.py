"""What the services' HTTP sides have in common: routing by a table, calls, problems, pages, the API document."""
