"""One pipeline under watch: everything the monitor knows of it, and what it says about it.

Rows come in as features, predictions and labels, in any order; out go `Metrics`, `Alert`s and dead
letters. Each part is a struct of its own (`Record`, `Inputs`, `Loss`, …); this one leads rows through
them and turns what they find into messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import numpy as np

from services.monitor.core import budget, judgement, objectives, publication
from services.monitor.core.alerting import Alerts
from services.monitor.core.distributions import codes_in
from services.monitor.core.events import Events, events_of
from services.monitor.core.fairness import Fairness
from services.monitor.core.fields import Fields
from services.monitor.core.forgotten import Forgotten
from services.monitor.core.inputs import Inputs
from services.monitor.core.join import Join, Waiting
from services.monitor.core.plan import Patience, Plan, plan_of
from services.monitor.core.record import Record
from services.monitor.core.slices import PREFIX, slicings_of
from services.monitor.core.state import Ints, in_order, no_rows
from services.monitor.core.watch import Said, Watch
from services.monitor.core.watched import Sizes
from services.monitor.core.windows import Windows
from shared.codec import encode
from shared.messages import DeadLetter, Features, Label, ModelPublished, Prediction
from shared.pipeline.specification import Specification
from shared.topics import LABELS

USUAL_MEMORY_ROWS = 50_000
_FORGOTTEN_PER_ROW = 2
_CHECKS_PER_FIELD = 5
_MOST_VERSIONS = 1000
_MOST_ORDERS = 100


class Pipeline(Watch):
    """One pipeline's watch with its handlers, which return what is to be published, in order."""

    @classmethod
    def of(cls, specification: Specification, patience: Patience) -> Pipeline:
        plan = plan_of(specification, patience)
        fields = Fields.of(specification)
        per_check = budget.level_per_test(plan.per_million, "quality", 50.0) / max(
            1, _CHECKS_PER_FIELD * len(fields.names)
        )
        rows, ranges = specification.monitor.reference_rows, plan.kind != "anomaly"
        sizes = Sizes(plan.window, rows, per_check, plan.level("drift"), ranges)
        slicings = slicings_of(specification)
        join = Join(
            min(USUAL_MEMORY_ROWS, patience.memory_rows),
            forgotten=Forgotten(_FORGOTTEN_PER_ROW * patience.memory_rows),
            further=tuple(PREFIX + one.field for one in slicings),
        )
        return cls(
            plan,
            Record(specification.kind, join),
            Inputs.of(fields, sizes),
            Windows(plan.performance_window),
            Alerts(plan.name, plan.per_million),
            slicings=slicings,
        )

    def adopt(self, specification: Specification, patience: Patience) -> None:
        """Takes a changed specification: limits at once; the watch of inputs begins anew where fields changed."""
        fresh = Pipeline.of(specification, patience)
        if fresh.inputs.fields.names != self.inputs.fields.names or fresh.inputs.sizes != self.inputs.sizes:
            self.inputs = fresh.inputs.continued(self.inputs)
        if [(s.field, s.number) for s in fresh.slicings] != [(s.field, s.number) for s in self.slicings]:
            self.record.join.widen(fresh.record.join.further)
            self.slicings, self.fairness = fresh.slicings, Fairness(self.loss.live)
        self.plan = fresh.plan
        self.windows.size = fresh.plan.performance_window
        self.alerts.budget = fresh.plan.per_million

    def bound(self, patience: Patience) -> None:
        """Keeps to these bounds from now on; rows known already stay known."""
        self.plan = msgspec.structs.replace(self.plan, patience=patience)
        self.record.join.forgotten.capacity = _FORGOTTEN_PER_ROW * patience.memory_rows

    def on_features(
        self, messages: Sequence[Features], partition: int, offsets: Sequence[int], now: datetime
    ) -> list[Said]:
        return self.take_events(events_of(messages), partition, offsets, now)

    def take_events(self, events: Events, partition: int, offsets: Sequence[int], now: datetime) -> list[Said]:
        """Events with their features, as columns."""
        rows = self._rows_of(events.ids, events.arrived, now)
        fresh = self._fresh(rows)
        self.record.join.repeated += len(rows) - len(rows[fresh])
        sources = self.record.sources.codes(events.sources)
        times = events.times[fresh]
        self.record.join.write(
            rows[fresh],
            partition=float(partition),
            offset=np.array(offsets, np.int64)[fresh],
            at=times,
            source=sources[fresh],
            withheld=self._withheld(events)[fresh],
        )
        raw = events.raw() if self.slicings else ()
        for slicing in self.slicings:
            self.record.join.write(rows[fresh], **{PREFIX + slicing.field: slicing.cells(raw)[fresh]})
        self.lateness.see(times)
        values = events.matrix(self.inputs.fields)
        hidden = None if events.withheld is None else self.inputs.fields.withheld(events.withheld)
        self.inputs.take(values[fresh], rows[fresh], sources[fresh], None if hidden is None else hidden[fresh])
        for source in codes_in(sources[fresh]):
            count = int(np.count_nonzero(sources[fresh] == source))
            self.refusals.accept(self.record.sources.names[source], count)
        self.last_row_at = now.timestamp()
        said = self._arrived(events.ids, now)
        said += judgement.of_inputs(self, now)
        return said + judgement.of_loss(self, now)

    def on_predictions(self, messages: Sequence[Prediction], now: datetime) -> list[Said]:
        ids = [m.id for m in messages]
        rows = self._rows_of(ids, lambda place: messages[place].received_at, now)
        said = self._meet_champion(messages, now)
        self.record.write_predictions(rows, messages)
        objectives.take_waits(self, messages, now)
        if len(rows):
            self.failures.take(messages, int(rows[0]))
        said += objectives.of_failures(self, now) + self._arrived(ids, now)
        answered = in_order(rows[self.record.join.read("version", rows) >= 0])
        self.answered = np.concatenate([self.answered, answered])
        said += publication.estimates(self, now)
        said += judgement.of_answers(self, answered, [m.entity for m in messages], rows, now)
        known = self.record.judged(answered)
        return said + (self._judge(known, no_rows(), now) if len(known) else [])

    def on_labels(self, messages: Sequence[Label], partition: int, offsets: Sequence[int], now: datetime) -> list[Said]:
        rows = self.record.join.find([m.id for m in messages])
        there = rows >= 0
        said = self._without_row(np.flatnonzero(~there).tolist(), messages, partition, offsets, now)
        known = [m for m, is_there in zip(messages, there, strict=True) if is_there]
        return said + (self._label(rows[there], known, now) if known else [])

    def on_dead_letter(self, letter: DeadLetter) -> None:
        self.refusals.refuse(letter.field, letter.reason, letter.source)

    def on_model(self, model: ModelPublished, now: datetime) -> list[Said]:
        if len(model.classes) == 2:
            self.record.classes.declared = model.classes
        if model.stage == "champion":
            self.pace.released = (model.version, now.timestamp())
            gate, chosen = judgement.gate_error(self, model.metrics), model.command in self.promotions
            said = self._go_live(model.version, gate, now, chosen=chosen)
            self.gated = model.command is None or model.command in self.retrains
            return said + judgement.of_loss(self, now)
        if model.stage == "canary":
            self.pace.released = (model.version, now.timestamp())
        if model.stage == "retired":
            self.record.shadows.pop(model.version, None)
            return judgement.withdrawn(self, model.version, now)
        return []

    def on_retrain(self, command: str) -> None:
        """A version is ordered that will have to pass its gate on newer labels."""
        self.retrains = [*self.retrains, command][-_MOST_ORDERS:]

    def on_promotion(self, command: str) -> None:
        """A version is chosen: it is held against the one whose place it takes, also where it has been live before."""
        self.promotions = [*self.promotions, command][-_MOST_ORDERS:]

    def on_quarantine(self, source: str, fields: Sequence[str], *, begins: bool) -> None:
        """Fields of a source are withheld from the model, or no longer: told in the data figures."""
        named = [(field, source) for field in fields]
        self.quarantined = [q for q in self.quarantined if q not in named] + (named if begins else [])

    def on_accepted(self, source: str, fields: Sequence[str], now: datetime) -> list[Said]:
        """Fields of a source are right as they are, a person says."""
        return judgement.accepted(self, source, fields, now)

    def on_tick(self, now: datetime) -> list[Said]:
        said = self._give_up(now)
        said += judgement.of_refusals(self, now) + judgement.of_silence(self, now)
        said += judgement.of_loss(self, now) + publication.revisions(self, now)
        said += objectives.of_labels(self, now) + objectives.of_latency(self, now)
        return said + publication.totals(self, now)

    def _withheld(self, events: Events) -> Ints:
        """The codes of the sets of fields that were withheld in these rows."""
        if events.withheld is None:
            return np.zeros(len(events.ids), np.int64)
        return self.record.withheld.codes([",".join(names) for names in events.withheld])

    def _rows_of(self, ids: Sequence[str], arrived: Callable[[int], datetime | None], now: datetime) -> Ints:
        """The rows of these events. Memory grows before rows go that labels are still to come for."""
        join, most = self.record.join, self.plan.patience.memory_rows
        filled = join.capacity < most and join.full(len(ids))
        if filled and (join.short() or self.lateness.owed(join, self.plan.label_delay)):
            join.enlarge(min(most, 2 * join.capacity))
        following = join.next_row
        rows = join.rows_of(ids)
        if join.next_row > following:
            first = arrived(int(np.argmax(rows == following)))
            self.alerts.arrivals.see(following, (first or now).timestamp())
        return rows

    def _fresh(self, rows: Ints) -> Ints | slice:
        """The places of the rows whose features are here for the first time; a slice where that is all of them."""
        if (rows[1:] > rows[:-1]).all():
            new = self.record.join.read("offset", rows) < 0
            return slice(None) if new.all() else np.flatnonzero(new)
        _, places = np.unique(rows, return_index=True)
        return np.sort(places[self.record.join.read("offset", rows[places]) < 0])

    def _without_row(
        self, places: Sequence[int], labels: Sequence[Label], partition: int, offsets: Sequence[int], now: datetime
    ) -> list[Said]:
        """Labels for ids that are not known: too late for rows that are forgotten, or too early, and these wait."""
        if not places:
            return []
        said: list[Said] = []
        late = self.record.join.take_late([labels[place].id for place in places])
        for place, is_late in zip(places, late, strict=True):
            if is_late:
                waiting = Waiting(labels[place], partition, offsets[place], self.record.join.next_row, now.timestamp())
                said.append(_dead(waiting, self.plan, "label-too-late", _too_late(self.record.join, self.plan), now))
            else:
                self.record.join.wait(labels[place], partition, offsets[place], now.timestamp())
        return said

    def _arrived(self, ids: Sequence[str], now: datetime) -> list[Said]:
        """Labels that were here before their events."""
        waited = self.record.join.arrived(ids)
        if not waited:
            return []
        return self._label(self.record.join.find([w.label.id for w in waited]), [w.label for w in waited], now)

    def _label(self, rows: Ints, messages: Sequence[Label], now: datetime) -> list[Said]:
        sources = self.record.sources.codes([m.source for m in messages])
        joined = self.record.join.set_labels(rows, self.record.encoded([m.label for m in messages]), sources)
        self.lateness.take(joined.first)
        first, corrected = self.record.judged(joined.first), self.record.judged(joined.corrected)
        return self._judge(first, corrected, now)

    def _judge(self, first: Ints, corrected: Ints, now: datetime) -> list[Said]:
        """Rows whose answer and label are both known now: through the windows, then through the tests."""
        closed = self.windows.add(first, corrected)
        said = publication.performance(self, closed, now)
        judgement.take_errors(self, first)
        return said + judgement.of_loss(self, now) + objectives.of_slices(self, now)

    def _meet_champion(self, messages: Sequence[Prediction], now: datetime) -> list[Said]:
        """A champion nobody announced (its announcement is still on its way) is live from its first answer."""
        said = []
        for version in dict.fromkeys([m.model_version for m in messages if m.role == "champion"]):
            if version and version not in self.record.versions.places:
                said += self._go_live(version, None, now)
        return said

    def _go_live(self, version: str, gate: float | None, now: datetime, *, chosen: bool = False) -> list[Said]:
        before = self.loss.live
        if version == before:
            return []
        said = judgement.replaced(self, now)
        self.record.versions.code(version)
        row, tolerance = self.record.join.next_row, self.plan.limits.tolerance
        self.loss.go_live(version, row, gate, tolerance, chosen=chosen)
        if version not in self.lived:
            self.lived = [*self.lived, version][-_MOST_VERSIONS:]
            self.inputs.renew()
        self.fairness.renew(version, self.plan.limits.tolerance)
        self.gated = False
        self.switch = judgement.switch_of(self, version, before) if before else None
        self.switch_rows = self.record.join.next_row
        return said

    def _give_up(self, now: datetime) -> list[Said]:
        patience, time = self.plan.patience, now.timestamp()
        idle = time - self.last_row_at > 30.0
        late = self.record.join.given_up(
            patience.unknown_horizon_rows, time - patience.unknown_seconds if idle else None
        )
        self.unknown_labels += len(late)
        return [_dead(waiting, self.plan, "unknown-id", _unknown(self.record.join, self.plan), now) for waiting in late]


def _unknown(join: Join, plan: Plan) -> str:
    seen, rows = len(join.index) + len(join.forgotten), plan.patience.unknown_horizon_rows
    return f"no event of that id among the {seen} rows before it nor the {rows} after: check the id, or send the event"


def _too_late(join: Join, plan: Plan) -> str:
    return (
        f"its row is no longer among the newest {join.capacity} that are kept, so it counts but measures nothing: "
        f"raise HOMEOSTAT_MONITOR_MEMORY_ROWS ({plan.patience.memory_rows}), or send labels sooner"
    )


def _dead(waiting: Waiting, plan: Plan, reason: str, why: str, now: datetime) -> DeadLetter:
    label = waiting.label
    return DeadLetter(
        topic=LABELS.name,
        partition=waiting.partition,
        offset=waiting.offset,
        reason=reason,
        detail=f"a label for {label.id!r}: {why}",
        value=encode(label),
        key=label.id.encode(),
        field="id",
        pipeline=plan.name,
        id=label.id,
        source=label.source,
        service="monitor",
        at=now,
    )
