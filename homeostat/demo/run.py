"""Runs the demo: stack, stream, story, judgement."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from homeostat.client import Client
from homeostat.demo.bad_release import promote, wrong_candidate
from homeostat.demo.chart import smoothed, write_chart
from homeostat.demo.folders import CHART, clear_earlier, fresh_folder, told
from homeostat.demo.further import further
from homeostat.demo.others import Others, made_of
from homeostat.demo.outcome import Moment, all_well, healings_of, remedies_of
from homeostat.demo.player import Player
from homeostat.demo.story import Story, faults_of, story_of
from homeostat.demo.teller import Teller
from homeostat.demo.view import panel_of, plan_of, standing_of, table_of
from homeostat.demo.watcher import Watcher
from homeostat.local.own_log import keep_own_log
from homeostat.local.stack import Stack, stack_settings
from shared.bus.factory import connect
from shared.clock import monotonic
from shared.errors import HomeostatError
from shared.messages import ModelPublished
from shared.models.artifact import ModelCache
from shared.models.store import FileStore
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from shared.settings import CommonSettings, common_settings

if TYPE_CHECKING:
    from homeostat.rows import Row

EXAMPLE = Path(__file__).parents[2] / "examples" / "electricity"
FIRST_MODEL_SECONDS = 90.0
SETTLE_SECONDS = 15.0
LOG_WIDTH = 140


@dataclass(frozen=True, slots=True)
class Scene:
    """What one round plays with."""

    specification: Specification
    table: list[Row]
    story: Story
    speed: float
    settings: CommonSettings


def run_demo(*, speed: float, sabotage: tuple[str, ...], ends: bool, rounds: int, data: Path | None, port: int) -> bool:
    """Plays the story `rounds` times in one stack; whether everything healed in each."""
    console = Console() if sys.stdout.isatty() else Console(width=LOG_WIDTH)
    faults = faults_of(sabotage)
    folder = data or fresh_folder()
    begun = monotonic()
    keep_own_log(folder)
    with Stack(stack_settings(folder, port, os.environ)) as stack, ThreadPoolExecutor(1) as beside:
        loading = beside.submit(_loaded)  # while the parts start
        stack.start(progress=lambda line: console.print(line, style="dim", highlight=False, soft_wrap=True))
        if data is None:
            clear_earlier(folder)  # only now: a run that cannot start takes no other's place
        specification, table = loading.result()
        scene = Scene(specification, table, story_of(faults, len(table)), speed, common_settings(stack.environ))
        console.print(f"dashboard: {stack.urls['gateway']}/#key={stack.api_key}", highlight=False, soft_wrap=True)
        with Client(stack.urls["gateway"], stack.api_key) as client:
            client.define(specification.canonical)
            for line in plan_of(scene.story, speed):
                console.print(line, highlight=False, markup=False, soft_wrap=True)
            healed, first = True, None
            for number in range(rounds):
                well, first = _round(console, client, scene, number, begun, first)
                healed = healed and well
                if rounds > 1:
                    console.print(f"after round {number + 1} of {rounds}: {standing_of(client.get('/v1/status'))}")
        if not ends:
            console.print("The stack goes on: open the dashboard, or ctrl-C to stop it.")
            _until_interrupted()
            console.print("stopping: what was accepted is finished first")
    console.print(told(folder, given=data is not None), highlight=False, soft_wrap=True)
    return healed


def _loaded() -> tuple[Specification, list[Row]]:
    from homeostat.rows import frame_of, rows_of  # imported here: polars loads while the parts start

    return load(EXAMPLE / "pipeline.yaml"), rows_of(frame_of(str(EXAMPLE / "data.parquet")))


def _round(
    console: Console, client: Client, scene: Scene, number: int, begun: float, first: ModelPublished | None
) -> tuple[bool, ModelPublished]:
    """One telling of the story: whether all healed, and the first model there ever was."""
    prefix = "" if number == 0 else f"r{number}-"
    story, name = scene.story, scene.specification.name
    row_of = {prefix + str(row["id"]): index for index, row in enumerate(scene.table[: story.rows])}
    marks: dict[str, Moment] = {}
    watcher = Watcher(connect(scene.settings), scene.settings, name, row_of)
    watcher.start()
    teller = Teller(console)
    at_row = _faults(teller, client, scene, marks)
    player = Player(client, name, str(scene.specification.target), scene.table, story, scene.speed, at_row, prefix)
    try:
        player.warm_up()
        if first is None:
            first = _first_model(watcher, player, scene.settings.data_dir / "logs")
            console.print(f"first model after {monotonic() - begun:.1f} s; the stream begins", style="dim")
        _play(console, teller, scene, watcher, player)
        _settle(teller, watcher)
        return _conclude(console, scene, watcher, marks, number, first), first
    finally:
        player.stop()
        watcher.stop()


def _faults(teller: Teller, client: Client, scene: Scene, marks: dict[str, Moment]) -> dict[int, Callable[[], None]]:
    """What is done at which row: said aloud, and for `bad-release` done. Its model is made while the stream begins."""
    wrong = _WrongModel(scene)

    def begin(name: str, row: int, about: str) -> None:
        if name == "bad-release" and wrong.awaited:
            teller.say(row, "waits", "the wrong version is still being made; until it is, the stream stands still")
        candidate = wrong.made() if name == "bad-release" else None
        marks[name] = Moment(monotonic(), row)
        teller.say(row, "SABOTAGE", about)  # before it is done: a cause is told before its effects
        if candidate is not None:
            promote(client, scene.specification.name, candidate)

    first = {scene.story.warm_up: wrong.begin} if "bad-release" in {each.name for each in scene.story.faults} else {}
    return first | {
        fault.begins: (lambda fault=fault: begin(fault.name, fault.begins, fault.about)) for fault in scene.story.faults
    }


@dataclass(slots=True)
class _WrongModel:
    """Made beside the stream, which would else stand still for it."""

    scene: Scene
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _candidate: Future[dict[str, Any]] | None = None

    def begin(self) -> None:
        self._candidate = self._beside.submit(self._make)

    @property
    def awaited(self) -> bool:
        """Whether it is begun and not yet made."""
        return self._candidate is not None and not self._candidate.done()

    def made(self) -> dict[str, Any]:
        return self._make() if self._candidate is None else self._candidate.result()

    def _make(self) -> dict[str, Any]:
        scene, settings = self.scene, self.scene.settings
        row = next(fault.begins for fault in scene.story.faults if fault.name == "bad-release")
        return wrong_candidate(scene.specification, scene.table, row, settings.data_dir, settings.signing_key)


def _first_model(watcher: Watcher, player: Player, logs: Path) -> ModelPublished:
    deadline = monotonic() + FIRST_MODEL_SECONDS
    while monotonic() < deadline:
        for seen in watcher.events(0):
            if isinstance(seen.message, ModelPublished) and seen.message.stage == "champion":
                return seen.message
        time.sleep(0.05)
    raise HomeostatError(
        f"no first model within {FIRST_MODEL_SECONDS:.0f} s of {player.progress.rows} rows: "
        f"see {logs / 'trainer.log'} and {logs / 'monitor.log'}"
    )


def _play(console: Console, teller: Teller, scene: Scene, watcher: Watcher, player: Player) -> None:
    thread = player.start()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while thread.is_alive():
            teller.tell(watcher.events(0))
            shares = smoothed(_right(scene, watcher))[1]
            row = player.progress.rows
            live.update(panel_of(row, scene.story.rows, scene.speed, _live_version(watcher), shares))
            thread.join(0.25)
    if player.failure is not None:
        raise HomeostatError(
            f"the stream broke off at row {player.progress.rows}: {player.failure}"
        ) from player.failure


def _settle(teller: Teller, watcher: Watcher) -> None:
    """Late labels still come in: gives open incidents a moment to end."""
    deadline = monotonic() + SETTLE_SECONDS
    while monotonic() < deadline and any(remedy.end == "open" for remedy in remedies_of(watcher.events(0))):
        time.sleep(0.25)
        teller.tell(watcher.events(0))


def _conclude(
    console: Console, scene: Scene, watcher: Watcher, marks: dict[str, Moment], number: int, first: ModelPublished
) -> bool:
    from homeostat.demo.offline import never_retrained  # imported here: only the end needs it

    models = [s for s in watcher.events(0) if isinstance(s.message, ModelPublished) and s.message.stage == "champion"]
    cache = ModelCache(FileStore(scene.settings.data_dir / "artifacts"), scene.settings.signing_key)
    static = never_retrained(scene.specification, scene.story, scene.table, cache.get(first.artifact))
    right = _right(scene, watcher)
    remedies = remedies_of(watcher.events(0), number * scene.story.rows)
    _date_release(watcher, marks)
    answered = {row: version for row, (_, version) in list(watcher.seen.answers.items())}
    others = Others(answered, made_of(watcher.events(0)))
    healings = healings_of(scene.story, remedies, marks, right, static, others)
    swaps = {seen.row: seen.message.version for seen in models if isinstance(seen.message, ModelPublished)}
    rest = further(watcher.events(0), remedies, healings, number * scene.story.rows)
    summary = "\n".join(filter(None, (rest, _summary(right, static, scene.story))))
    chart = write_chart(scene.settings.data_dir / CHART.format(number), right, static, healings, swaps, summary)
    console.print()
    console.print(table_of(healings, console.width))
    console.print(summary)
    console.print(f"chart: {chart}", highlight=False, soft_wrap=True)
    return all_well(healings, scene.story)


def _date_release(watcher: Watcher, marks: dict[str, Moment]) -> None:
    """The bad release begins when the version brought from outside goes live, not when someone asks for it."""
    asked = marks.get("bad-release")
    for seen in watcher.events(0) if asked is not None else ():
        brought = isinstance(seen.message, ModelPublished) and not seen.message.lineage.features_ranges
        if asked is not None and brought and seen.second >= asked.second:
            marks["bad-release"] = Moment(seen.second, seen.row + 1)
            return


def _right(scene: Scene, watcher: Watcher) -> dict[int, bool]:
    target, table = str(scene.specification.target), scene.table
    answers = list(watcher.seen.answers.items())
    return {row: answer == table[row][target] for row, (answer, _) in answers if answer is not None}


def _live_version(watcher: Watcher) -> str:
    row = watcher.seen.last_row
    return watcher.seen.answers[row][1] if row in watcher.seen.answers else ""


def _summary(right: Mapping[int, bool], static: Mapping[int, bool], story: Story) -> str:
    both = [row for row in right if row in static]
    ours, fixed = sum(right[row] for row in both), sum(static[row] for row in both)
    rows = max(1, len(both))
    return (
        f"over {len(both):,} rows ({story.rows:,} were sent, {story.warm_up:,} of them for the first model): "
        f"{ours / rows:.1%} right; a model never retrained: {fixed / rows:.1%}"
    )


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
