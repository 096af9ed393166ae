"""What a person runs: the command line, the local stack, the demo."""
