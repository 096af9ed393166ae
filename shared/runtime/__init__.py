"""The runtime: drives services over the bus. The same services run on Kafka and in memory."""

from shared.runtime.entry import entry
from shared.runtime.jobs import JobContext, JobFunction, Jobs
from shared.runtime.process import Companion, run_service
from shared.runtime.task import Task

__all__ = ["Companion", "JobContext", "JobFunction", "Jobs", "Task", "entry", "run_service"]
