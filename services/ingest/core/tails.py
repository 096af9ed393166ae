"""What is remembered of each key: its last values, as many as the longest window or lag needs.

Which values a row sees depends on the rows before it alone, never on where batches begin: also when
the least recently seen key is forgotten to make room, which is done row by row.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.messages import Value

Column = list[Value]


@dataclass(slots=True)
class Block:
    """One key's values: one column per windowed expression, and the batch's rows that belong to it."""

    columns: list[Column]
    rows: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Tails:
    """The keys in the order in which they were last seen. `depth` is the rows kept of each."""

    width: int
    depth: int
    most_keys: int
    blocks: OrderedDict[str, Block] = field(default_factory=OrderedDict)

    def divided(self, keys: Sequence[str]) -> list[Block]:
        """The batch's rows by the key they belong to; a key that was forgotten begins anew, also within the batch."""
        touched: list[Block] = []
        for row, key in enumerate(keys):
            block = self.blocks.get(key)
            if block is None:
                block = self.blocks[key] = Block([[] for _ in range(self.width)])
                if len(self.blocks) > self.most_keys:
                    self.blocks.popitem(last=False)
            else:
                self.blocks.move_to_end(key)
            if not block.rows:
                touched.append(block)
            block.rows.append(row)
        return touched

    def advance(self, touched: Sequence[Block], columns: Sequence[Column]) -> list[Column]:
        """The batch's values become the past, of which the last `depth` of each key stay.

        What it gives is each column laid out key after key: `depth` values of its past (None where there
        is less), then the batch's own.
        """
        laid = [self._moved_on(touched, place, column) for place, column in enumerate(columns)]
        for block in touched:
            block.rows = []
        return laid

    def _moved_on(self, touched: Sequence[Block], place: int, column: Column) -> Column:
        depth = self.depth
        nothing: Column = [None] * depth
        laid: Column = []
        for block in touched:
            past, rows = block.columns[place], block.rows
            if len(past) == depth and len(rows) == 1:  # what most keys of a batch are, at half the cost
                past.append(column[rows[0]])
                laid += past
                del past[0]
                continue
            laid += nothing[len(past) :]
            past += [column[row] for row in rows]
            laid += past
            del past[: max(0, len(past) - depth)]
        return laid

    def saved(self) -> list[tuple[str, list[Column]]]:
        return [(key, block.columns) for key, block in self.blocks.items()]

    def restored(self, saved: Iterable[tuple[str, list[Column]]]) -> None:
        self.blocks = OrderedDict((key, Block([list(column) for column in columns])) for key, columns in saved)
