"""The Open Inference Protocol v2, JSON and binary: bytes in, bytes out."""
