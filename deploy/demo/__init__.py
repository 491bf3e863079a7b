"""The demo: plays households against a running stack through HTTP only, then checks every figure against the books."""
