"""Notices what goes wrong with data, models and services, and ranks causes.

In: features, predictions, labels, dead-letters, pipelines, model-published, commands, telemetry.
Out: metrics, alerts, dead-letters (labels whose event never came).
"""
