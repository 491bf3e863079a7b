"""What is answered, as msgspec structs, by what it is about."""
