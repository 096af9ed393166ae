"""Trees by ONNX Runtime: the one module that imports it. One thread, double precision, sums in the trees' order."""

from __future__ import annotations

import numpy as np
import onnxruntime

from shared.models.program import Floats, Trees

_ERRORS_ONLY = 3


class TreesLearner:
    """The figures of a `Trees`."""

    def __init__(self, data: Trees) -> None:
        self._session = onnxruntime.InferenceSession(data.onnx, _options(), providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._outputs = [self._session.get_outputs()[0].name]
        self._leaves = None if data.leaves is None else data.leaves.array
        self._divisor = data.divisor
        self._baseline = np.array(data.baseline)

    def __call__(self, columns: Floats) -> Floats:
        found = self._session.run(self._outputs, {self._input: np.ascontiguousarray(columns)})[0]
        if self._leaves is not None:
            found = self._leaves[found.astype(np.intp)].sum(axis=1)
        figures: Floats = found / self._divisor + self._baseline
        return figures


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _ERRORS_ONLY
    return options
