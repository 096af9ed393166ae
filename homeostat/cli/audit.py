"""`audit …`: the ledger, and whether it is whole."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from homeostat.cli.options import Json, on_gateway
from homeostat.cli.output import show_found, show_json, show_text
from homeostat.client import Client
from services.remediator.core.ledger import Head
from services.remediator.core.ledger import verify as verify_ledger
from shared.errors import HomeostatError, Misconfigured
from shared.messages import AuditEntry

app = typer.Typer(help="The hash-chained ledger of decisions and outcomes.", no_args_is_help=True)
COLUMNS = {"sequence": "#", "at": "at", "pipeline": "pipeline", "kind": "what happened", "summary": "summary"}
PAGE = 1000
SHA256_DIGITS = 64


@app.command()
@on_gateway
def show(
    client: Client,
    incident: Annotated[str | None, typer.Option(help="Only this incident's entries.")] = None,
    as_json: Json = False,
) -> None:
    """The ledger's entries, oldest first."""
    found = [entry for entry in _entries(client) if incident in (None, entry["incident"])]
    show_found(found, COLUMNS, empty="the ledger is empty: nothing was decided yet", as_json=as_json)


@app.command()
@on_gateway
def verify(
    client: Client,
    head: Annotated[
        str | None, typer.Option(help="A head that an earlier check showed and you noted: finds a cut tail too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Checks the chain of hashes from the first entry on; fails at the first that does not fit.

    That the newest entries were cut off, or all was written anew, shows only against a noted head.
    """
    noted = head_of(head) if head is not None else None
    entries = [msgspec.convert(entry, AuditEntry) for entry in _entries(client)]
    fault = verify_ledger(entries, noted)
    newest = f"{entries[-1].sequence}:{entries[-1].hash}" if entries else None
    result = {"entries": len(entries), "ok": fault is None, "head": newest}
    if as_json:
        show_json(result | ({"fault": {"sequence": fault[0], "reason": fault[1]}} if fault else {}))
    elif fault is None:
        show_text(f"the ledger is whole: {len(entries)} entries, head {newest}")
    if fault is not None:
        raise HomeostatError(f"the ledger is broken at entry {fault[0]}: {fault[1]}")


def head_of(text: str) -> Head:
    """The head as `audit verify` shows it.

    >>> head_of("17:" + "a" * 64).sequence
    17
    """
    sequence, _, digest = text.partition(":")
    if not (sequence.isascii() and sequence.isdigit() and len(digest) == SHA256_DIGITS):
        raise Misconfigured(f"--head {text!r} is no head: it reads as 17:4f2a…, as `homeostat audit verify` shows it")
    return Head(int(sequence), digest)


def _entries(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = client.get("/v1/audit", after=found[-1]["sequence"] if found else -1, limit=PAGE)["entries"]
        found += page
        if len(page) < PAGE:
            return found
