"""Has the live model become worse, and is it the world or the release? One trouble at a time.

Every labelled answer of the live version goes through its regime's e-detector, and the test of its
level for losses that are small and lasting; a version that is new also has a bet against the version
before it. What crosses first is held until the data around it has been looked at (the caller confirms)
and until it has lasted, and is then one trouble: of the release where the loss begins with the version,
else of the concept. It ends when enough answers since then are right again.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from services.monitor.core.level import LEAST_BASE, Stretch, Verdict
from services.monitor.core.regime import FIRST_SLACK, WARM, Expected, Regime, expected_of
from services.monitor.core.release import Release
from services.monitor.core.sequential import onset
from services.monitor.core.state import Floats, Ints, empty, no_rows
from services.monitor.core.trouble import Limits, Trouble

_MOST_REGIMES = 12
_LEAST_PREVIOUS = 50
_RELEASE_ROWS = 2000
_BEGINS_WITH_RELEASE = 150
_ENOUGH = 150
_WATCHED = 400
_MOST_WATCHED = 800
_LASTING = 250
_NEWEST = 100
_MOST_BASES = 3
_LEFT = 500
_JUST_LEFT = 50


class Loss(msgspec.Struct):
    """All versions of one pipeline. `live` is champion since row `live_row` was the next; where answers come behind
    their rows, it answers earlier ones too. Those before `reign` were answered in an earlier reign of it.

    `bases`: the errors of the first rows of the newest versions before. `former`: a trouble already
    raised that a bad release has taken the place of. `leaving`: the newest errors of rows (`leaving_rows`)
    answered before `live_row`, whose labels may come after it. `untried`: the version that answered them was on trial
    itself, and too little of it known to say that what it lost was there before it.
    """

    live: str = ""
    live_row: int = 0
    reign: int = 0
    regimes: dict[str, Regime] = {}
    releases: dict[str, Release] = {}
    trouble: Trouble | None = None
    former: Trouble | None = None
    bases: list[Floats] = []
    watch: Floats = msgspec.field(default_factory=empty)
    changed: bool = False
    leaving: Floats = msgspec.field(default_factory=empty)
    leaving_rows: Ints = msgspec.field(default_factory=no_rows)
    untried: bool = False

    def __post_init__(self) -> None:
        if len(self.leaving_rows) != len(self.leaving):  # a state from before their rows were kept
            self.leaving_rows = np.full(len(self.leaving), -1)

    def go_live(self, version: str, row: int, gate: float | None, tolerance: float, *, chosen: bool = False) -> bool:
        """A version becomes champion; True where it was never live before.

        `gate` is the mean error that its gate saw. A version that comes back keeps its reference. Where it was
        `chosen` in the place of another, and not fallen back to, it is on trial against that one again.
        """
        if version == self.live:
            return False
        before = self.regimes.get(self.live)
        self.live, self.live_row = version, row
        shown = self._shown(before)
        if self.trouble is not None and not self.trouble.confirmed and not self.trouble.canary:
            self.trouble, self.former = self.former, None
        self.leaving = before.recent[-_LEFT:] if before is not None else empty()
        self.leaving_rows = before.recent_rows[-_LEFT:] if before is not None else no_rows()
        self.untried = before is not None and before.version in self.releases and before.total < _BEGINS_WITH_RELEASE
        self.watch, self.changed = empty(), True
        known = self.regimes.get(version)
        self.reign = row if known is not None else 0
        if known is not None and known.reference is not None:
            self._return(known, shown if chosen else None)
            return False
        self._admit(version, before, shown, gate, tolerance)
        return True

    def take(self, version: str, withheld: str, judged: Stretch, limits: Limits) -> None:
        """Live answers of one version, in the order in which labels came."""
        if version != self.live:
            return
        regime = self._regime(version, withheld)
        while len(judged):
            size = min(len(judged), regime.room())
            self._step(regime, judged.part(slice(0, size)), limits)
            judged = judged.part(slice(size, None))

    def take_leaving(self, rows: Ints, errors: Floats) -> None:
        """Errors of what the versions before the live one answered, and that was labelled since it is live."""
        self.leaving = np.concatenate([self.leaving, errors])[-_LEFT:]
        self.leaving_rows = np.concatenate([self.leaving_rows, rows])[-_LEFT:]

    def take_canary(self, version: str, rows: Ints, errors: Floats, limits: Limits) -> None:
        """Errors of a canary's answers, held against the champion's of the same time."""
        live = self.regimes.get(self.live)
        if version not in self.releases:
            if live is None or len(live.recent) < _LEAST_PREVIOUS:
                return
            self.releases[version] = Release(expected_of(live.recent), len(live.recent), int(rows[0]), live.memory)
        self._try_release(version, rows, errors, limits, canary=True)

    def withdraw(self, version: str) -> bool:
        """A canary or shadow leaves; True where that ends the trouble."""
        self.releases.pop(version, None)
        ended = self.trouble is not None and self.trouble.canary and self.trouble.version == version
        if ended:
            self.end()
        return ended

    def excuse(self, since: int, tolerance: float) -> None:
        """Rows `since` on were scored on faulty data: what they showed is no evidence, and no reference."""
        for regime in self.regimes.values():
            regime.forget(since, tolerance)
        kept = self.leaving_rows < since
        self.leaving, self.leaving_rows = self.leaving[kept], self.leaving_rows[kept]
        if self.trouble is not None and not self.trouble.confirmed and self.trouble.row >= since:
            self.trouble, self.former = self.former, None

    def lasting(self, limits: Limits) -> Literal["unknown", "passed", "yes"]:
        """Whether the pending trouble has lasted: 250 rows since it began, and the newest 100 still wrong.

        A burst that is over by then has passed. A release's fault need not wait.
        """
        trouble = self.trouble
        if trouble is None or trouble.release or trouble.slow:
            return "yes"
        regime = self._known(trouble.version, trouble.withheld)
        expected = regime.expected() if regime is not None else None
        if regime is None or expected is None or int((regime.tail_rows >= trouble.onset).sum()) < _LASTING:
            return "unknown"
        if float(regime.tail[-_NEWEST:].mean()) > expected.bar(limits.tolerance):
            return "yes"
        return "passed"

    def judged_up_to(self, trouble: Trouble) -> int:
        """The newest row of the version in trouble whose answer has been judged; -1 where none is known."""
        regime = self._known(trouble.version, trouble.withheld)
        return int(regime.recent_rows.max()) if regime is not None and len(regime.recent_rows) else -1

    def dismiss(self) -> None:
        """The pending trouble has passed by itself."""
        if self.trouble is not None:
            regime = self._known(self.trouble.version, self.trouble.withheld)
            if regime is not None:
                regime.detector.reset()
            self.trouble = None

    def confirm(self) -> None:
        """The pending trouble is raised."""
        if self.trouble is not None:
            self.trouble.confirmed = True
            self.watch, self.changed = empty(), False

    def recovered(self, limits: Limits) -> bool:
        """Whether the trouble has passed, by at least 150 labelled answers since.

        With another version live: half of the loss is won back, or the new version keeps to its own
        reference and that is better than the loss was. Else: the error is back below the bar.
        """
        trouble, live = self.trouble, self.regimes.get(self.live)
        if trouble is None or not trouble.confirmed or trouble.canary or live is None or len(self.watch) < _ENOUGH:
            return False
        now = float(self.watch.mean())
        reference = live.expected()
        within = reference is not None and now <= reference.bar(limits.tolerance)
        if not self.changed:
            if trouble.slow and reference is not None:
                within = now <= Expected(trouble.baseline, reference.se).bar(limits.tolerance)
            return within and len(self.watch) >= self._patience(live)
        halfway = trouble.baseline + max(limits.tolerance, (trouble.level - trouble.baseline) / 2)
        better = now <= trouble.level - limits.tolerance
        return now <= halfway or (within and better and live.total >= WARM)

    def end(self) -> None:
        """Ends the trouble and begins the tests anew."""
        self.trouble = None
        for regime in self.regimes.values():
            regime.restart()

    def _patience(self, regime: Regime) -> int:
        """How many answers show that a loss has passed by itself: more where errors come in runs."""
        return int(min(_MOST_WATCHED, max(_WATCHED, 20 * regime.memory)))

    def _admit(
        self, version: str, before: Regime | None, shown: Release | None, gate: float | None, tolerance: float
    ) -> None:
        previous = shown.baseline if shown is not None else None
        promised = _promised(previous.mean if previous else None, gate)
        regime = Regime(version)
        if before is not None:
            regime.memory = before.memory
        if promised is not None:
            slack = tolerance if previous is not None else max(FIRST_SLACK, 3 * tolerance)
            error = previous.se if previous is not None else 0.03
            regime.promised = Expected(promised + slack, error)
            regime.ceiling = promised + slack
            regime.prior = promised
        if before is not None and len(before.level.base) >= LEAST_BASE:
            self.bases = [*self.bases, before.level.base.errors][-_MOST_BASES:]
        if self.bases:
            regime.level.usual = np.concatenate(self.bases)
        self._keep(version, regime)
        self.releases.pop(version, None)
        if shown is not None:
            self.releases[version] = shown.of(self.live_row)

    def _return(self, regime: Regime, shown: Release | None) -> None:
        """A version comes back, on trial against what another has shown or not."""
        regime.restart()
        if shown is not None:
            regime.total = 0
            self.releases[regime.version] = shown.of(self.live_row)

    def _shown(self, before: Regime | None) -> Release | None:
        """What a new version is held against: the newest errors of the version before, up to a loss that is not raised
        yet; or where too few of its rows have labels, what that one was held against itself.
        """
        if before is None:
            return None
        errors = before.recent[-before.total :] if before.total else empty()
        trouble, until = self.trouble, self.live_row
        if trouble is not None and not trouble.confirmed and trouble.version == before.version:
            until = trouble.onset
            errors = errors[before.recent_rows[len(before.recent) - len(errors) :] < until]
        if len(errors) >= _LEAST_PREVIOUS:
            return Release(expected_of(errors), len(errors), self.live_row, before.memory, until=until)
        if before.total >= _LEAST_PREVIOUS and before.reference is not None:
            return Release(before.reference, len(before.first), self.live_row, before.memory, until=until)
        return self.releases.get(before.version)

    def _known(self, version: str, withheld: str) -> Regime | None:
        return self.regimes.get(_key(version, withheld))

    def _regime(self, version: str, withheld: str) -> Regime:
        """As it is known, or a new one from now on."""
        key = _key(version, withheld)
        if key not in self.regimes:
            self._keep(key, Regime(version, withheld))
        return self.regimes[key]

    def _keep(self, key: str, regime: Regime) -> None:
        self.regimes.pop(key, None)
        self.regimes[key] = regime
        for old in list(self.regimes)[:-_MOST_REGIMES]:
            if self.regimes[old].version != self.live:
                del self.regimes[old]
        while len(self.releases) > _MOST_REGIMES:
            del self.releases[next(iter(self.releases))]

    def _step(self, regime: Regime, judged: Stretch, limits: Limits) -> None:
        rows, errors = judged.rows, judged.errors
        expected = regime.expected()
        if self.trouble is not None and self.trouble.confirmed:
            self.watch = np.concatenate([self.watch, errors])[-self._patience(regime) :]
        learn = self.trouble is None or self.trouble.canary or self.trouble.version != regime.version
        regime.take(judged, limits.tolerance, learn=learn)
        if not regime.withheld and regime.version in self.releases:
            self._try_release(regime.version, rows, errors, limits, canary=False)
        if expected is None or self.trouble is not None:
            return
        bar = expected.bar(limits.tolerance)
        crossed = regime.detector.feed(errors, bar, limits.rate, regime.memory)
        if crossed is not None:
            place = len(regime.tail) - len(errors) + crossed
            self._cross(regime, place, expected, bar, limits)
        elif (found := regime.level.judge(limits.tolerance, limits.slow_rate, regime.ceiling)) is not None:
            self._sink(regime, found, limits)

    def _sink(self, regime: Regime, found: Verdict, limits: Limits) -> None:
        """A lasting loss of level: the concept's, since the version began better."""
        after = regime.level.after
        begin = onset(after.errors, min(0.95, found.base + limits.tolerance))
        self.trouble = Trouble(
            release=False,
            version=regime.version,
            baseline=found.base,
            level=float(after.errors[begin:].mean()),
            onset=int(after.rows[begin]),
            row=int(after.rows[-1]),
            evidence=1.0 / max(found.p_value, 1e-12),
            limit=1.0 / found.limit,
            samples=len(after) - begin,
            reference_samples=len(regime.level.base),
            withheld=regime.withheld,
            slow=True,
        )

    def _cross(self, regime: Regime, place: int, expected: Expected, bar: float, limits: Limits) -> None:
        """Says where the evidence began and whose it is."""
        begin = onset(regime.tail[: place + 1], bar)
        since = regime.tail[begin:]
        level = float(since.mean())
        release = self.releases.get(regime.version)
        at_once = regime.total - len(regime.tail) + begin <= _BEGINS_WITH_RELEASE and not regime.withheld
        worse = at_once and release is not None and level > release.baseline.bar(limits.tolerance)
        went_on = worse and release is not None and self._was_there(release.baseline.mean, level)
        blame = worse and not went_on
        baseline = release.baseline.mean if blame and release is not None else expected.mean
        self.trouble = Trouble(
            release=blame,
            version=regime.version,
            baseline=baseline,
            level=level,
            onset=self._began_before(bar) if went_on else int(regime.tail_rows[begin]),
            row=int(regime.tail_rows[place]),
            evidence=regime.detector.evidence,
            limit=1.0 / limits.rate,
            samples=len(since),
            reference_samples=len(regime.first),
            withheld=regime.withheld,
        )

    def _was_there(self, baseline: float, level: float) -> bool:
        """Whether the rows just before the live version's were answered as badly, or nearly so: not its doing."""
        last = self.leaving[-_JUST_LEFT:]
        there = len(last) == _JUST_LEFT and float(last.mean()) >= (baseline + level) / 2
        return there and not self.untried

    def _began_before(self, bar: float) -> int:
        """The row with which a loss began that was there before the live version."""
        return int(self.leaving_rows[onset(self.leaving, bar)])

    def _first_row(self, version: str) -> int:
        """Where the live version's answers begin, as far as they are judged."""
        regime = self._known(version, "")
        judged = [] if regime is None else regime.tail_rows[:1].tolist()
        return int(min([self.live_row, *judged]))

    def _open_to(self, version: str, *, canary: bool) -> bool:
        """Whether a bad release may be found now: also while the loss of an earlier version is not over."""
        trouble = self.trouble
        return trouble is None or not (canary or trouble.canary or not trouble.confirmed or trouble.version == version)

    def _try_release(self, version: str, rows: Ints, errors: Floats, limits: Limits, *, canary: bool) -> None:
        release = self.releases[version]
        if release.bet.rows >= _RELEASE_ROWS or not self._open_to(version, canary=canary):
            return
        bar = release.baseline.bar(limits.tolerance)
        crossed = release.bet.feed(errors, bar, limits.level, release.memory)
        release.errors = np.concatenate([release.errors, errors])
        if crossed is None:
            return
        place = len(release.errors) - len(errors) + crossed
        begin = onset(release.errors[: place + 1], bar)
        level = float(release.errors[begin:].mean())
        if not canary and (begin > _BEGINS_WITH_RELEASE or self._was_there(release.baseline.mean, level)):
            return
        self.former = self.trouble or self.former
        self.trouble = Trouble(
            release=True,
            version=version,
            baseline=release.baseline.mean,
            level=level,
            onset=release.first_row if canary else self._first_row(version),
            row=int(rows[crossed]),
            evidence=release.bet.evidence,
            limit=1.0 / limits.level,
            samples=len(release.errors) - begin,
            reference_samples=release.samples,
            canary=canary,
        )


def _key(version: str, withheld: str) -> str:
    return f"{version}|{withheld}" if withheld else version


def _promised(before: float | None, gate: float | None) -> float | None:
    """The error to expect of a new version, of what the version before showed and what its gate saw.

    The larger, for rows may be harder than the gate's; but where they are far apart the smaller: the
    version before may have been in trouble, and what failed its gate is not to become the rule.
    """
    if before is None or gate is None:
        return gate if before is None else before
    return max(before, gate) if abs(before - gate) <= FIRST_SLACK else min(before, gate)
