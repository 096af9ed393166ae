"""Format ``skops``: scikit-learn estimators in a file that runs no code on load.

The types that may be in a file are skops' own list (scikit-learn's public classes, numpy, scipy
data) and the literal list here; a file with any other is refused, and there is no other loader.
"""

from __future__ import annotations

from typing import Any
from zipfile import ZIP_DEFLATED

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from shared.errors import Poison
from shared.models.metadata import ModelMetadata
from shared.models.sklearn_model import SklearnModel

NAME = "skops"

TRUSTED = [
    "functools.partial",  # of a function that is itself on this list
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
]


def dump(estimator: Any) -> bytes:
    """The estimator as a skops file, a zip."""
    data: bytes = skops.io.dumps(estimator, compression=ZIP_DEFLATED, compresslevel=1)
    return data


def parse(data: bytes, metadata: ModelMetadata) -> SklearnModel:
    """The model in a skops file; `Poison` names a type that is not trusted."""
    try:
        estimator = skops.io.loads(data, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise Poison(f"the artefact holds a type that is not trusted: {error}", reason="untrusted-type") from error
    return SklearnModel(estimator, metadata)
