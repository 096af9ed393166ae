"""Notices what goes wrong with data, models and services, and ranks causes."""
