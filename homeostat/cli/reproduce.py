"""`models reproduce`: trains a version again from its lineage, and says whether the same comes out.

It reads the log and the artefacts itself, so it runs where they are: beside the local stack, or with
the services' own environment variables.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homeostat.cli.models import Version
from homeostat.cli.options import DEFAULT_DATA, Data, Json
from homeostat.cli.output import errors, show_json, show_text
from homeostat.local.discovery import kafka_environment
from homeostat.local.keys import SIGNING_KEY
from shared import codec
from shared.bus.base import LogReader, Record
from shared.bus.factory import connect
from shared.errors import Misconfigured
from shared.messages import ModelPublished, PipelineDefined
from shared.models.store import FileStore
from shared.pipeline.specification import Specification
from shared.settings import CommonSettings, common_settings
from shared.topics import MODEL_PUBLISHED, PIPELINES

if TYPE_CHECKING:
    from services.trainer.reproduction import Reproduction

Name = Annotated[str, typer.Argument(help="A pipeline's name.")]


def reproduce(pipeline: Name, version: Version, as_json: Json = False, data: Data = DEFAULT_DATA) -> None:
    """Trains a version again from its lineage and compares; status 1 where something else comes out."""
    from services.trainer.dataset import Source
    from services.trainer.reproduction import reproduction_of

    settings = common_settings(_environment(data))
    with errors.status(f"training version {version} of {pipeline} again"):
        bus = connect(settings)
        with closing(bus.reader("homeostat-reproduce")) as reader:
            published = published_version(reader, settings, pipeline, version)
            source = Source(
                reader, settings.data_dir, specification_of(reader, settings, published), settings.topic_prefix
            )
            store = FileStore(settings.data_dir / "artifacts")
            found = reproduction_of(published, source, store, settings.signing_key)
    if as_json:
        show_json({**asdict(found), "same_data": found.same_data, "same": found.same})
    else:
        show_text(verdict_of(found, pipeline, version))
    if not found.same:
        raise typer.Exit(1)


def verdict_of(found: Reproduction, pipeline: str, version: str) -> str:
    """What came out, for a person."""
    head = f"version {version} of {pipeline}: "
    others = "; ".join(f"{name} was {then}, is {now}" for name, (then, now) in found.libraries.items())
    because = f" ({others})" if others else ""
    if found.same:
        return f"{head}reproduced. The same {found.rows} rows, and the same answer to each of them{because}"
    if not found.same_data:
        return (
            f"{head}not reproduced. The log gives {found.rows} rows with hash {found.data_hash[:12]}; "
            f"it was trained on {found.rows_then} with hash {found.data_hash_then[:12]}"
        )
    return f"{head}not reproduced. The same rows, but {found.differing} of {found.rows} are answered otherwise{because}"


def _environment(data: Path) -> dict[str, str]:
    """What the services of the stack on `data` were given; the caller's own variables go before."""
    found = {"HOMEOSTAT_DATA": str(data), **kafka_environment(data, os.environ)}
    key = data / SIGNING_KEY
    if "HOMEOSTAT_SIGNING_KEY" not in found and key.exists():
        found["HOMEOSTAT_SIGNING_KEY"] = key.read_text().strip()
    return found


def published_version(reader: LogReader, settings: CommonSettings, pipeline: str, version: str) -> ModelPublished:
    name = settings.full_name(MODEL_PUBLISHED.name)
    for record in reversed(_all(reader, name)):
        message = codec.decode(MODEL_PUBLISHED, record.value)
        if (message.pipeline, message.version) == (pipeline, version):
            return message
    raise Misconfigured(f"there is no version {version!r} of {pipeline!r}: see `homeostat models list {pipeline}`")


def specification_of(reader: LogReader, settings: CommonSettings, published: ModelPublished) -> Specification:
    """The specification that the version was made under."""
    digest = published.lineage.specification_digest
    name = settings.full_name(PIPELINES.name)
    for record in reversed(_all(reader, name)):
        message: PipelineDefined = codec.decode(PIPELINES, record.value)
        if message.pipeline == published.pipeline and message.digest == digest and not message.removed:
            return Specification.model_validate(message.specification)
    raise Misconfigured(
        f"the specification that version {published.version} was made under (digest {digest[:12]}) is no longer "
        f"in the log: {name} keeps the newest of each pipeline"
    )


def _all(reader: LogReader, topic: str) -> list[Record]:
    begin, end = reader.begin_offsets(topic)[0], reader.end_offsets(topic)[0]
    return list(chain.from_iterable(reader.read(topic, 0, begin, end)))
