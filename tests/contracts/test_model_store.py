"""The same cases on every artefact store."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from shared.errors import Poison, Transient
from shared.messages import Artifact
from shared.models.store import ArtifactStore, FileStore, MemoryStore


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return FileStore(tmp_path / "artifacts") if request.param == "file" else MemoryStore()


def artifact_of(data: bytes, *, sha256: str | None = None, uri: str = "") -> Artifact:
    return Artifact(
        uri=uri, sha256=sha256 or hashlib.sha256(data).hexdigest(), format="skops", size=len(data), signature=""
    )


@pytest.mark.parametrize("data", [b"", b"a model", bytes(range(256)) * 4000])
def test_what_was_put_is_got_back(store: ArtifactStore, data: bytes) -> None:
    uri = store.put(data)

    assert uri == "sha256:" + hashlib.sha256(data).hexdigest()
    assert store.get(artifact_of(data)) == data


def test_putting_twice_keeps_one_and_gives_the_same_address(store: ArtifactStore) -> None:
    assert store.put(b"a model") == store.put(b"a model")
    assert store.get(artifact_of(b"a model")) == b"a model"


def test_an_artefact_that_is_not_there_may_come_later(store: ArtifactStore) -> None:
    with pytest.raises(Transient, match="is not in"):
        store.get(artifact_of(b"a model"))

    store.put(b"a model")

    assert store.get(artifact_of(b"a model")) == b"a model"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "../secret",
        "%2e%2e%2fsecret",
        "/etc/passwd",
        "a/../../secret",
        "\\\\host\\share",
        "secret\x00",
        "A" * 64,
        "0" * 63,
        "0" * 65,
        "0" * 63 + "/",
        "0" * 64 + "\n",
    ],
)
def test_a_name_that_is_no_hash_never_becomes_a_path(store: ArtifactStore, name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not for you")

    with pytest.raises(Poison, match="not a SHA-256"):
        store.get(Artifact(uri="file:///etc/passwd", sha256=name, format="skops", size=1, signature=""))


def test_the_uri_decides_nothing(store: ArtifactStore) -> None:
    store.put(b"a model")

    assert store.get(artifact_of(b"a model", uri="file:///etc/passwd")) == b"a model"


def test_bytes_that_changed_on_disk_are_refused_by_their_hash(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    path = tmp_path / store.put(b"a model").removeprefix("sha256:")
    path.write_bytes(b"another")

    with pytest.raises(Poison, match="altered or damaged") as refusal:
        store.get(artifact_of(b"a model"))

    assert refusal.value.reason == "hash"


def test_putting_again_mends_a_damaged_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    path = tmp_path / store.put(b"a model").removeprefix("sha256:")
    path.write_bytes(b"")

    store.put(b"a model")

    assert store.get(artifact_of(b"a model")) == b"a model"


def test_a_write_that_cannot_be_finished_leaves_nothing_behind(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    (tmp_path / hashlib.sha256(b"a model").hexdigest()).mkdir()

    with pytest.raises(Transient, match="cannot be written"):
        store.put(b"a model")

    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
