"""Deliveries: open notices of a held shard, sent and marked."""
