"""The pipeline specification: what a user declares, and everything the services need to know."""
