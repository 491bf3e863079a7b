"""Rules without I/O: who may do what, what a request must hold, what a status is."""
