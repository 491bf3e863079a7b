"""Personal data and the one place that holds it: a row per (tenant, member, field, version), sealed by member."""
