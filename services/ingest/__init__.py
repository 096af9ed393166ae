"""Takes events and labels in, checks them, and turns events into features."""
