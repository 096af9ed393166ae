"""A peer that is asked line by line: a request as JSON in, what its handler returned as JSON out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from time import process_time
from typing import Any

Handler = Callable[..., Any]


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answers until its input ends: ``{"do": name, …}`` by ``{"result": …, "seconds": …}``, seconds of the processor.

    Whatever the libraries print goes to standard error.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        handler = handlers[request.pop("do")]
        begun = process_time()
        result = handler(**request)
        answers.write(json.dumps({"result": result, "seconds": process_time() - begun}) + "\n")
