"""Subscriptions: what leaves the gateway for people and their tools, at least once and in order."""
