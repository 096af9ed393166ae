"""Makes, judges, registers and releases models."""
