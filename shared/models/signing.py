"""Who made an artefact: HMAC-SHA256 over its SHA-256, with the installation's signing key."""

from __future__ import annotations

import hashlib
import hmac

from shared.errors import Misconfigured, Poison
from shared.messages import Artifact


def signature_of(sha256: str, key: bytes) -> str:
    """The signature of the bytes with this hash, hex."""
    if not key:
        raise Misconfigured("HOMEOSTAT_SIGNING_KEY is not set: trainer and predictor need the same key")
    return hmac.new(key, sha256.encode(), hashlib.sha256).hexdigest()


def check_signature(artifact: Artifact, key: bytes) -> None:
    """Returns when the signature is this installation's over this hash; `Poison` otherwise."""
    expected = signature_of(artifact.sha256, key)
    if not artifact.signature:
        raise Poison(f"artefact {artifact.sha256[:12]} is unsigned: publish it by the trainer", reason="unsigned")
    if not hmac.compare_digest(expected.encode(), artifact.signature.encode()):
        raise Poison(
            f"the signature of artefact {artifact.sha256[:12]} does not match: "
            "the publication was altered, or signed with another HOMEOSTAT_SIGNING_KEY",
            reason="signature",
        )
