"""Makes, judges, registers and releases models.

In: pipelines, metrics, commands, command-results. Out: model-published, command-results.
"""
