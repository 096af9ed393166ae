"""What a user would pick instead of us, as its documents say: each module runs in its group's own environment."""
