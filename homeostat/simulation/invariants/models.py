"""Models: which version answered what, whether it may, and who says why."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Iterator

from homeostat.simulation.ran import Run
from homeostat.simulation.simulation import KEY
from shared.messages import Features, ModelPublished, PipelineDefined, Prediction
from shared.pipeline.specification import Specification
from shared.topics import AUDIT, COMMAND_RESULTS, COMMANDS, FEATURES, MODEL_PUBLISHED, PIPELINES, PREDICTIONS, STEPS

Live = dict[str, ModelPublished]
"""By stage, champion and canary."""
TRAINER = "trainer"


def serving(run: Run) -> Iterator[str]:
    rows = {(record.partition, record.offset): message for record, message in run.of(FEATURES)}
    answers = {one.origin: one for one in run.messages(PREDICTIONS)}
    refused = _refused(run)
    published = [
        (record.offset, message)
        for record, message in run.of(MODEL_PUBLISHED)
        if message.command is None or (message.command, message.version) not in refused
    ]
    live: dict[str, Live] = {}
    for _, step in run.of(STEPS):
        if not step.task.startswith("predictor/"):
            continue
        mine = live.setdefault(step.task, {})
        for topic, partition, start, until in step.inputs:
            if topic == MODEL_PUBLISHED.name:
                for _, release in [one for one in published if start <= one[0] < until]:
                    _take(mine, release)
            elif topic == FEATURES.name:
                for offset in range(start, until):
                    row, answer = rows.get((partition, offset)), answers.get((partition, offset))
                    if row is not None and answer is not None and (wrong := _wrong(row, answer, mine)):
                        yield f"{step.task}, step {step.step}: {row.id} {wrong}"


def verified(run: Run) -> Iterator[str]:
    released = {one.version: one for one in run.messages(MODEL_PUBLISHED)}
    for version in sorted({one.model_version for one in run.messages(PREDICTIONS)} - {""}):
        release = released.get(version)
        if release is None:
            yield f"version {version} answers and was never published"
            continue
        data = run.artifacts.get(release.artifact.sha256)
        if data is None or hashlib.sha256(data).hexdigest() != release.artifact.sha256:
            yield f"version {version} answers, and the store has not the bytes that were published"
        expected = hmac.new(KEY, release.artifact.sha256.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, release.artifact.signature):
            yield f"version {version} answers and is not signed with this installation's key"
        if data is not None and (inside := _inside(data)) != (release.kind, release.features):
            yield f"version {version} answers as {release.kind} of {release.features}, its artefact is {inside}"


def fits(run: Run) -> Iterator[str]:
    """By what the trainer had read of definitions until the step in which it first released the version."""
    defined = {record.offset: _definition(message) for record, message in run.of(PIPELINES)}
    read: list[tuple[int, str]] = []
    for _, step in run.of(STEPS):
        for topic, _, start, until in step.inputs if step.task == TRAINER else ():
            if topic == PIPELINES.name:
                read += [(step.step, defined[offset]) for offset in range(start, until) if offset in defined]
    first: set[str] = set()
    for record, release in run.of(MODEL_PUBLISHED):
        if release.version not in first:
            first.add(release.version)
            number = int(dict(record.headers)["ce_id"].split(b"/")[1])
            before = [definition for at, definition in read if at < number][-1:]
            if release.definition not in [*before, *(definition for at, definition in read if at == number)]:
                yield f"version {release.version} takes {release.definition}, defined were features {before}"


def _definition(message: PipelineDefined) -> str:
    return Specification.model_validate(message.specification).definition


def _inside(artifact: bytes) -> tuple[str, tuple[str, ...]]:
    """The kind of model in an artefact, and the features that it takes."""
    with zipfile.ZipFile(io.BytesIO(artifact)) as archive:
        told = json.loads(archive.read("homeostat.json"))
    return told["kind"], tuple(each["name"] for each in told["inputs"])


def _refused(run: Run) -> set[tuple[str, str]]:
    """Command and version of what the predictors would not take."""
    results = [one for one in run.messages(COMMAND_RESULTS) if one.service == "predictor" and one.state == "failed"]
    return {(one.command, one.model_version or "") for one in results}


def said_why(run: Run) -> Iterator[str]:
    told = {(ref.topic, ref.offset) for one in run.messages(AUDIT) if one.kind == "model_published" for ref in one.refs}
    commands = {one.id: one for one in run.messages(COMMANDS)}
    champion: str | None = None
    for record, release in run.of(MODEL_PUBLISHED):
        where = f"version {release.version} as {release.stage} (offset {record.offset})"
        if not release.reason:
            yield f"{where} says no reason"
        if not release.lineage.rows or not release.lineage.data_hash:
            yield f"{where} names no data it was made from"
        if release.command is not None and commands[release.command].incident != release.incident:
            yield f"{where} names command {release.command}, which is not of incident {release.incident}"
        if release.stage == "champion":
            if (release.previous or None) not in (champion, None):
                yield f"{where} says it replaces {release.previous}, the champion was {champion}"
            champion = release.version
        if (MODEL_PUBLISHED.name, record.offset) not in told:
            yield f"{where} is not in the ledger"


def _take(live: Live, release: ModelPublished) -> None:
    champion = live.get("champion")
    if release.stage in ("canary", "shadow") and champion is not None and champion.version == release.version:
        return
    for stage in [stage for stage, one in live.items() if one.version == release.version]:
        del live[stage]
    if release.stage in ("champion", "canary"):
        live[release.stage] = release


def _wrong(row: Features, answer: Prediction, live: Live) -> str | None:
    """The canary answers the entities that lie below its weight, the same ones every time; the champion the others."""
    able = {stage: one for stage, one in live.items() if one.definition == row.definition}
    canary = able.get("canary")
    drawn = canary is not None and _share(row) < canary.weight
    role, due = ("canary", canary) if drawn else ("champion", able.get("champion"))
    if answer.model_version:
        said = f"was answered by {answer.model_version} as {answer.role}"
        if due is None or answer.model_version != due.version:
            return f"{said}, live: {sorted(one.version for one in able.values())}"
        return None if answer.role == role else f"{said}, which is the {role}"
    if not answer.reason:
        return "has neither an answer nor a reason"
    return None if due is None else f"got no answer ({answer.reason}), live: {due.version}"


def _share(row: Features) -> float:
    """Where the entity stands from 0 to 1."""
    digest = hashlib.blake2b(f"{row.pipeline}\x1f{row.entity}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
