"""The front door: REST, live streams, subscriptions, identity, the dashboard. It holds no domain logic.

In: predictions, dead-letters, pipelines, model-published, metrics, alerts, commands,
command-results, audit, telemetry. Out: raw-data, requests, pipelines, command-results (of
`notify` alone), telemetry.
"""
