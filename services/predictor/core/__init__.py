"""Which version answers whom, and with what: pure decisions."""
