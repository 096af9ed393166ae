"""A package, so that what its tests silence is heard again after the last of them."""
