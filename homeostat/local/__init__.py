"""The local stack: a real Kafka, Redis and MLflow and the six services, on one machine, with Python alone."""
