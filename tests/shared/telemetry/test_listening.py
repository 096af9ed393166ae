"""A port that is taken is said before anything else is started."""

from __future__ import annotations

import pytest

from shared.errors import Misconfigured
from shared.telemetry.listening import listening


def test_a_port_in_use_names_who_wanted_it_and_the_variable_that_sets_it() -> None:
    with listening("127.0.0.1", 0, what="one", variable="HOMEOSTAT_ONE") as first:
        port = first.getsockname()[1]

        with pytest.raises(Misconfigured, match=rf"two cannot listen on 127.0.0.1:{port} .*HOMEOSTAT_TWO"):
            listening("127.0.0.1", port, what="two", variable="HOMEOSTAT_TWO")
