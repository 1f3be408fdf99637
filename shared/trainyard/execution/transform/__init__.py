"""Batch transform: stored objects, split into requests, through a model's container, and put together again."""
