"""Logs, metrics, traces and health: how a running Homeostat is seen."""
