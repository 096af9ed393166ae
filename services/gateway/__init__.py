"""The front door: REST, live streams, subscriptions, the dashboard."""
