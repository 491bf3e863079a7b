"""Simulators of the outside world: separate programs that speak the real wire and fail on request."""
