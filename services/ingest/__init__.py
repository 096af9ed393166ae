"""Takes events and labels in, checks them, and turns events into features.

In: raw-data, pipelines, commands. Out: features, labels, dead-letters, command-results.
"""
