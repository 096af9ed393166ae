from __future__ import annotations

import stat
from pathlib import Path

from homeostat.local.keys import kept_secret


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    secret, fresh = kept_secret(tmp_path / "deep" / "key", "hs_")
    again, fresh_again = kept_secret(tmp_path / "deep" / "key", "hs_")

    assert (fresh, fresh_again) == (True, False)
    assert secret == again
    assert secret.startswith("hs_")
    assert stat.S_IMODE((tmp_path / "deep" / "key").stat().st_mode) == 0o600
