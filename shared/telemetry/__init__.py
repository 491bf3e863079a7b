"""What a running service says of itself: metrics, logs, trace context, health."""
