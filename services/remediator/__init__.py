"""Turns alerts into incidents, incidents into orders, and orders into verified outcomes, all on record.

In: pipelines, model-published, metrics, alerts, requests, command-results. Out: commands, audit.
"""
