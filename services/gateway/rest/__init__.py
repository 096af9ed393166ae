"""The REST interface, one file per subject. The paths are those of `docs/api.md`."""
