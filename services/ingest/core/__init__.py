"""Ingest's decisions as values: nothing here reads a clock, a topic or a file."""
