"""Pure statistics and decisions of the monitor: values in, values out, no clock and no I/O."""
