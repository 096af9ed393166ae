"""Packing a trained estimator into an artefact, and getting a model out of one.

An artefact is a zip: ``homeostat.json`` (`ModelMetadata`) beside the estimator in its library's
form and, where it has one, its compiled form. Nothing in it is looked at before its hash and its
signature hold.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import msgspec
from numpy.typing import NDArray

from shared.clock import monotonic
from shared.errors import Poison
from shared.messages import Artifact, Value
from shared.models.base import Answers, MatrixModel, Model
from shared.models.metadata import Input, ModelMetadata
from shared.models.signing import check_signature, signature_of
from shared.models.store import ArtifactStore, Missing

FORMATS: Final = {
    "compiled": "shared.models.compiled_format",
    "skops": "shared.models.skops_format",
    "signed-river": "shared.models.river_format",
}
"""Format to the module that reads it, imported with the first artefact of that format."""

MISSED_SECONDS = 60.0
"""How long an artefact that the store does not have is waited for: the trainer may be writing it."""

_METADATA = "homeostat.json"
_BODY = "estimator"
_PROGRAM = "program"
_BEHIND: Final = {"skops": _BODY, "signed-river": "learner"}
"""What a compiled artefact was made from, by format: the member that holds it."""


class _Format(Protocol):
    def dump(self, estimator: Any) -> bytes: ...

    def parse(self, data: bytes, metadata: ModelMetadata) -> Model: ...


def package(model: Any, metadata: ModelMetadata, program: bytes | None = None) -> tuple[bytes, str]:
    """A fitted estimator as (bytes, format): river learners as ``signed-river``, the rest as ``skops``.

    With a `program` (the estimator's compiled form) the artefact is ``compiled`` and holds both. What is
    returned has been loaded once; `Poison` names a type that no predictor would accept.
    """
    name = "signed-river" if type(model).__module__.split(".")[0] == "river" else "skops"
    form = _format(name)
    body = form.dump(model)
    form.parse(body, metadata)
    members = {_METADATA: msgspec.json.encode(metadata)}
    if program is None:
        members[_BODY] = body
    else:
        members |= {_BEHIND[name]: body, _PROGRAM: program}
        name = "compiled"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content)
    return buffer.getvalue(), name


def keep(data: bytes, form: str, store: ArtifactStore, signing_key: bytes) -> Artifact:
    """Stores the bytes and signs them: what a publication carries."""
    sha256 = hashlib.sha256(data).hexdigest()
    signature = signature_of(sha256, signing_key)
    return Artifact(uri=store.put(data), sha256=sha256, format=form, size=len(data), signature=signature)


def load(artifact: Artifact, store: ArtifactStore, signing_key: bytes) -> Model:
    """The model in an artefact whose signature and hash hold, as it answers.

    `Poison` with reason ``unsigned``, ``signature``, ``hash``, ``format``, ``untrusted-type`` or
    ``malformed``; `Transient` while the bytes cannot be read.
    """
    member = _PROGRAM if artifact.format == "compiled" else _BODY
    return _loaded(artifact, store, signing_key, {artifact.format: member})


def load_estimator(artifact: Artifact, store: ArtifactStore, signing_key: bytes) -> Model:
    """The model as its library made it, also where a compiled form answers for it; errors as `load`."""
    members = _BEHIND if artifact.format == "compiled" else {artifact.format: _BODY}
    return _loaded(artifact, store, signing_key, members)


def _loaded(artifact: Artifact, store: ArtifactStore, signing_key: bytes, members: Mapping[str, str]) -> Model:
    """The model in the first of `members` (by format) that the artefact has."""
    check_signature(artifact, signing_key)
    data = store.get(artifact)
    name = next(iter(members))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            metadata = msgspec.json.decode(archive.read(_METADATA), type=ModelMetadata)
            name = next((each for each, member in members.items() if member in archive.namelist()), name)
            body = archive.read(members[name])
        return _format(name).parse(body, metadata)
    except Poison:
        raise
    except Exception as error:  # a parser may fail in any way on bytes that are not its own
        raise Poison(
            f"artefact {artifact.sha256[:12]} is no {name} model: {type(error).__name__}: {error}",
            reason="malformed",
        ) from error


class ModelCache:
    """The last `size` models loaded, by hash, shared by the threads of a process.

    A hit checks the signature all the same. The models it gives answer one thread at a time. An artefact
    that the store does not have is waited for (`Transient`); after `MISSED_SECONDS` it counts as lost, until it
    is there.
    """

    def __init__(
        self, store: ArtifactStore, signing_key: bytes, size: int = 32, clock: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._key = signing_key
        self._size = size
        self._clock = clock
        self._missed: dict[str, float] = {}
        self._models: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, artifact: Artifact) -> Model:
        """The model of this artefact, loaded at most once while it stays here; errors as `load`, and `Poison`
        with reason ``missing`` for one that is lost.
        """
        check_signature(artifact, self._key)
        address = (artifact.sha256, artifact.format)
        with self._lock:
            if address not in self._models:
                self._models[address] = _one_thread_at_a_time(self._loaded(artifact))
                while len(self._models) > self._size:
                    self._models.popitem(last=False)
            self._models.move_to_end(address)
            return self._models[address]

    def _loaded(self, artifact: Artifact) -> Model:
        try:
            model = load(artifact, self._store, self._key)
        except Missing as missing:
            now = self._clock()
            if now - self._missed.setdefault(artifact.sha256, now) < MISSED_SECONDS:
                raise
            raise Poison(str(missing), reason="missing") from missing
        self._missed.pop(artifact.sha256, None)
        return model


class _OneThreadAtATime:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._lock = threading.Lock()

    @property
    def metadata(self) -> ModelMetadata:
        return self._model.metadata

    @property
    def features(self) -> tuple[str, ...]:
        return self._model.features

    def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
        with self._lock:
            return self._model.answer(rows)


class _MatrixOneThreadAtATime(_OneThreadAtATime):
    def __init__(self, model: MatrixModel) -> None:
        super().__init__(model)
        self._of_matrix = model

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self._of_matrix.inputs

    def answer_matrix(self, table: NDArray[Any]) -> Answers:
        with self._lock:
            return self._of_matrix.answer_matrix(table)


def _one_thread_at_a_time(model: Model) -> Model:
    return _MatrixOneThreadAtATime(model) if isinstance(model, MatrixModel) else _OneThreadAtATime(model)


def _format(name: str) -> _Format:
    module = FORMATS.get(name)
    if module is None:
        raise Poison(f"format {name[:40]!r} is none of {', '.join(sorted(FORMATS))}", reason="format", field="format")
    return cast(_Format, importlib.import_module(module))
