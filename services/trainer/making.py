"""Makes candidates: reads the rows, lets the core decide, packs and signs what passed. Runs inside a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from services.trainer.core import window
from services.trainer.core.calibration import recalibrated
from services.trainer.core.candidates import candidates_for
from services.trainer.core.card import limits_of
from services.trainer.core.fitting import classes_of
from services.trainer.core.gate import Verdict
from services.trainer.core.judging import judged
from services.trainer.core.orders import Judged, Order
from services.trainer.core.releases import Candidate
from services.trainer.core.search import Attempt, Found
from services.trainer.core.training import Trained, trained
from services.trainer.dataset import Source, TrainingSet, features_of, in_ranges, newest_set
from services.trainer.packing import kept
from shared.bus.base import LogReader
from shared.clock import monotonic
from shared.errors import Poison
from shared.messages import Artifact, Lineage, Value
from shared.models.artifact import load, load_estimator
from shared.models.base import Model
from shared.models.metadata import class_text
from shared.models.store import ArtifactStore, FileStore
from shared.pipeline.specification import Specification
from shared.settings import CommonSettings

if TYPE_CHECKING:
    import polars as pl


FORCED_ROWS = 4_000
"""What is promoted by force is judged on the newest of no more rows: the verdict is only told, and someone waits."""

Loaded = Callable[[Artifact, ArtifactStore, bytes], Model]


@dataclass(frozen=True)
class Maker:
    """One order with all it needs."""

    order: Order
    specification: Specification
    source: Source
    store: ArtifactStore
    signing_key: bytes
    clock: Callable[[], float] = monotonic

    @classmethod
    def of(
        cls,
        order: Order,
        specification: Specification,
        reader: LogReader,
        settings: CommonSettings,
        clock: Callable[[], float] = monotonic,
    ) -> Maker:
        source = Source(reader, settings.data_dir, specification, settings.topic_prefix)
        store = FileStore(settings.data_dir / "artifacts")
        return cls(order, specification, source, store, settings.signing_key, clock)

    def trained(self) -> Judged:
        """A model trained from nothing, if there are rows enough and the gate lets it pass."""
        data = self._rows()
        wanted = self.specification.models.min_rows
        if data.frame.height < wanted:
            return _too_few(self.specification, data, wanted)
        champion, note = self._champion()
        result = trained(
            self.specification,
            features_of(data.frame, self.specification),
            _labels(data.frame),
            champion=champion,
            new_to_champion=self._new_to_champion(data.frame),
            clock=self.clock,
            changed=data.cut.changed,
            proof=self.order.proof,
            again=self._learner_kept(),
        )
        used = data if result.rows is None else data.newest(result.rows)
        return self._answer(used, result, origin="trained", note=note)

    def judged(self) -> Judged:
        """What a model from outside shows on the newest rows; force lets it pass whatever it shows."""
        candidate = self.order.candidate
        if candidate is None:
            raise ValueError("there is no candidate to judge")
        model = load(candidate.artifact, self.store, self.signing_key)
        if tuple(model.features) != tuple(candidate.features):
            raise Poison(
                f"the artefact takes {', '.join(model.features)}; the candidate names {', '.join(candidate.features)}",
                reason="features",
                field="features",
            )
        most = self.specification.models.train_rows
        rows = self._rows(min(most, FORCED_ROWS) if self.order.forced else most)
        data = _since_the_change(rows, self.specification)
        champion, note = self._champion()
        result = judged(
            self.specification,
            features_of(data.frame, self.specification),
            _labels(data.frame),
            model=model,
            champion=champion,
        )
        answer = self._answer(data, result, origin="external", note=note)
        passes = answer.verdict.passed or self.order.forced
        named = msgspec.structs.replace(candidate, metrics=dict(result.challenger or {}), origin="external")
        return msgspec.structs.replace(answer, candidate=named if passes else None)

    def recalibrated(self) -> Judged:
        """The champion with its probabilities fitted to the newest rows, if that makes them better."""
        data = _since_the_change(self._rows(), self.specification)
        champion, note = self._champion(load_estimator)
        result = recalibrated(
            self.specification,
            features_of(data.frame, self.specification),
            _labels(data.frame),
            champion=champion,
            new_to_champion=self._new_to_champion(data.frame),
        )
        return self._answer(data, result, origin="recalibrated", note=note)

    def _rows(self, most: int | None = None) -> TrainingSet:
        rows = self.order.rows
        return newest_set(
            self.source,
            most=self.specification.models.train_rows if most is None else most,
            since=window.as_offsets(rows.since),
            until=window.as_offsets(rows.until),
            excluded=rows.left_out,
        )

    def _champion(self, loaded: Loaded = load) -> tuple[Model | None, str]:
        """The champion, by default as predictors load it, or None and why it cannot be compared with."""
        champion = self.order.champion
        if champion is None:
            return None, ""
        if champion.definition != self.specification.definition:
            return None, "the champion takes features of another definition"
        try:
            return loaded(champion.artifact, self.store, self.signing_key), ""
        except Poison as error:
            return None, f"the champion cannot be loaded ({error})"

    def _learner_kept(self) -> Attempt | None:
        """The champion's learner and parameters, where no search is asked for and it has one of the candidates'."""
        champion, models = self.order.champion, self.specification.models
        if self.order.search or champion is None:
            return None
        known = {each.name for each in candidates_for(self.specification.kind, models.candidates)}
        lineage = champion.lineage
        return Attempt(lineage.estimator, dict(lineage.parameters), None) if lineage.estimator in known else None

    def _new_to_champion(self, frame: pl.DataFrame) -> list[bool]:
        champion = self.order.champion
        seen = {} if champion is None else champion.lineage.features_ranges
        return [not each for each in in_ranges(frame, seen)]

    def _answer(self, data: TrainingSet, result: Trained, *, origin: str, note: str) -> Judged:
        verdict = result.verdict
        if note:
            verdict = msgspec.structs.replace(verdict, reasons=(note, *verdict.reasons))
        candidate = None
        if result.model is not None:
            candidate = self._candidate(data, result, result.model, verdict, origin)
        return Judged(
            verdict=verdict,
            candidate=candidate,
            champion=dict(result.champion or {}),
            baseline=dict(result.baseline or {}),
            window=data.cut.reason,
            search=trace_of(result.found),
        )

    def _candidate(self, data: TrainingSet, result: Trained, model: Model, verdict: Verdict, origin: str) -> Candidate:
        packed = kept(model, features_of(data.frame, self.specification), self.store, self.signing_key)
        lineage = Lineage(
            features_ranges=data.features_ranges,
            labels_ranges=data.labels_ranges,
            data_hash=data.data_hash,
            rows=data.frame.height,
            specification_version=self.order.specification_version,
            specification_digest=self.specification.digest,
            code_revision=self.order.code_revision,
            seed=self.specification.models.seed,
            libraries=packed.libraries,
            excluded_ranges=tuple(stretch[:3] for stretch in data.excluded),
            excluded_sources=tuple(stretch[3] for stretch in data.excluded),
            estimator=result.best.candidate if result.best else "",
            parameters=dict(result.best.parameters) if result.best else {},
        )
        classes = tuple(class_text(each) for each in classes_of(self.specification, _labels(data.frame)))
        metrics = {"this version": result.challenger, "champion": result.champion, "baseline": result.baseline}
        return Candidate(
            artifact=packed.artifact,
            features=self.specification.feature_names,
            definition=self.specification.definition,
            kind=self.specification.kind,
            lineage=lineage,
            metrics=dict(result.challenger or {}),
            classes=classes,
            origin=origin,
            card=card_of(self.specification, lineage, classes, metrics, verdict, data, origin, packed.form),
        )


def card_of(
    specification: Specification,
    lineage: Lineage,
    classes: tuple[str, ...],
    metrics: Mapping[str, Mapping[str, float] | None],
    verdict: Verdict,
    data: TrainingSet,
    origin: str,
    form: Mapping[str, Any],
) -> dict[str, Any]:
    """The model card as JSON; `core.card.markdown_of` makes the page of it."""
    begins, ends = (data.frame["__at"].min(), data.frame["__at"].max())
    return {
        "pipeline": specification.name,
        "about": specification.about,
        "kind": specification.kind,
        "target": specification.target,
        "origin": origin,
        "estimator": lineage.estimator,
        "parameters": lineage.parameters,
        "features": list(specification.feature_names),
        "classes": list(classes),
        "code_revision": lineage.code_revision,
        "seed": lineage.seed,
        "libraries": lineage.libraries,
        "form": dict(form),
        "data": {
            "rows": lineage.rows,
            "window": data.cut.reason,
            "begins": None if begins is None else str(begins),
            "ends": None if ends is None else str(ends),
            "features_ranges": {p: list(bounds) for p, bounds in lineage.features_ranges.items()},
            "labels_ranges": {p: list(bounds) for p, bounds in lineage.labels_ranges.items()},
            "excluded_ranges": [list(stretch) for stretch in lineage.left_out],
            "hash": lineage.data_hash,
        },
        "metrics": {name: dict(found) for name, found in metrics.items() if found},
        "gate": {
            "passed": verdict.passed,
            "metric": verdict.metric,
            "rows": verdict.rows,
            "reason": verdict.reason,
        },
        "limits": list(
            limits_of(kind=specification.kind, rows=lineage.rows, held_out=verdict.rows, widened=data.cut.widened)
        ),
    }


def trace_of(found: Found | None) -> dict[str, Any]:
    """The search in short: how many attempts, whether time cut it, and the values per candidate."""
    if found is None:
        return {}
    candidates: dict[str, Any] = {}
    for attempt in found.attempts:
        shown = candidates.setdefault(attempt.candidate, {"attempts": 0, "values": []})
        shown["attempts"] += 1
        if attempt.value is not None:
            shown["values"] = sorted([*shown["values"], round(attempt.value, 6)])
        elif attempt.error:
            shown["error"] = attempt.error
    for shown in candidates.values():
        values = shown.pop("values")
        shown.update({"lowest": values[0], "highest": values[-1]} if values else {})
    return {
        "attempts": len(found.attempts),
        "cut": found.cut,
        "best": found.best.candidate,
        "parameters": found.best.parameters,
        "value": found.best.value,
        "candidates": candidates,
    }


def _labels(frame: pl.DataFrame) -> list[Value]:
    return frame["__label"].to_list()


def _since_the_change(data: TrainingSet, specification: Specification) -> TrainingSet:
    """The rows since the change, where one is named, widened to `models.min_rows`."""
    changed = data.cut.changed
    return data if changed is None else data.newest(max(changed, specification.models.min_rows))


def _too_few(specification: Specification, data: TrainingSet, wanted: int) -> Judged:
    rows = data.frame.height
    unlabelled = "" if specification.kind == "anomaly" else "labelled "
    left_out = f", {len(data.excluded)} quarantined stretches left out" if data.excluded else ""
    reason = f"only {rows} {unlabelled}rows to train on{left_out}; models.min_rows asks for {wanted}"
    return Judged(
        verdict=Verdict(passed=False, metric=specification.main_metric, reasons=(reason,), rows=rows),
        window=data.cut.reason,
    )
