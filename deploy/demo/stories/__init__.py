"""The stories that households of the demo can have: each a function from its chance and number to its acts in order."""
