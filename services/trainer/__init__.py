"""Makes, judges, registers and releases models.

In: pipelines, metrics, commands. Out: model-published, command-results.
"""
