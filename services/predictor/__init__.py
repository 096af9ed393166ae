"""Answers every event with the live version."""
