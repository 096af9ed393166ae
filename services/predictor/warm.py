"""Learning libraries, imported beside the loop: the first model then need not wait for them."""

from __future__ import annotations

import importlib
import threading
from typing import Final

LIBRARIES: Final = ("shared.models.skops_format", "sklearn.linear_model", "sklearn.ensemble", "sklearn.pipeline")


class Warmth:
    """A companion of the runtime. The service answers meanwhile; whoever needs a library earlier waits for it."""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._import, name="warm", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """An import cannot be cut short, and ends with the process."""

    def _import(self) -> None:
        for name in LIBRARIES:
            importlib.import_module(name)
