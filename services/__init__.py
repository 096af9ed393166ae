"""The six services. They talk over topics and never import each other."""
