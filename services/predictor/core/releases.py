"""Which versions of a pipeline answer, as the publications say."""

from __future__ import annotations

import msgspec

from shared.messages import ModelPublished


class Live(msgspec.Struct, frozen=True, omit_defaults=True):
    """The versions of one pipeline that answer now. A version has one role."""

    champion: ModelPublished | None = None
    canary: ModelPublished | None = None
    shadows: tuple[ModelPublished, ...] = ()

    @property
    def versions(self) -> dict[str, ModelPublished]:
        """All that answer, by version, the champion first."""
        first = [release for release in (self.champion, self.canary) if release is not None]
        return {release.version: release for release in (*first, *self.shadows)}


def after(live: Live, published: ModelPublished) -> Live:
    """The live versions once this publication is in force.

    A champion takes the place of the one before; canary and shadows of other versions stay. The
    champion's own version cannot become canary or shadow: it answers already.
    """
    champion = live.champion
    if published.stage in ("canary", "shadow") and champion is not None and champion.version == published.version:
        return live
    rest = without(live, published.version)
    if published.stage == "champion":
        return msgspec.structs.replace(rest, champion=published)
    if published.stage == "canary":
        return msgspec.structs.replace(rest, canary=published)
    if published.stage == "shadow":
        return msgspec.structs.replace(rest, shadows=(*rest.shadows, published))
    return rest


def without(live: Live, version: str) -> Live:
    """The live versions less one."""
    return Live(
        champion=None if live.champion is not None and live.champion.version == version else live.champion,
        canary=None if live.canary is not None and live.canary.version == version else live.canary,
        shadows=tuple(shadow for shadow in live.shadows if shadow.version != version),
    )
