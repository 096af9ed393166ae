"""Format ``skops``: scikit-learn estimators in a file that runs no code on load.

The types that may be in a file are skops' own list (scikit-learn's public classes, numpy, scipy
data) and the literal list here; a file with any other is refused, and there is no other loader.
"""

from __future__ import annotations

import io
import re
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

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
    """The estimator as a skops file, a zip. The same estimator gives the same bytes."""
    return _settled(skops.io.dumps(estimator))


def parse(data: bytes, metadata: ModelMetadata) -> SklearnModel:
    """The model in a skops file; `Poison` names a type that is not trusted."""
    try:
        estimator = skops.io.loads(data, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise Poison(f"the artefact holds a type that is not trusted: {error}", reason="untrusted-type") from error
    return SklearnModel(estimator, metadata)


_SCHEMA = "schema.json"
_ADDRESS = re.compile(r'(?<="__id__": )\d+|(?<="file": ")\d+(?=\.)')


def _settled(data: bytes) -> bytes:
    """The file without what differs from one process to the next: skops names its parts by their
    addresses in memory, and notes the time. Here they are numbered as they come.
    """
    with ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = parts.pop(_SCHEMA).decode()
    numbers = {address: str(number) for number, address in enumerate(dict.fromkeys(_ADDRESS.findall(schema)), start=1)}
    parts = {_renamed(name, numbers): content for name, content in parts.items()}
    settled = _ADDRESS.sub(lambda found: numbers[found.group()], schema)
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in sorted({**parts, _SCHEMA: settled.encode()}.items()):
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED, 1)
    return buffer.getvalue()


def _renamed(name: str, numbers: dict[str, str]) -> str:
    stem, dot, suffix = name.partition(".")
    return numbers.get(stem, stem) + dot + suffix
