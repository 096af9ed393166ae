"""The six services. They talk over topics and never import each other."""

import os

# Read by numpy's libraries when they are imported: a pool of threads per process would fight over the cores.
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")
