"""Options that several commands share, and how they find the gateway."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer

from homeostat.client import KEY_FILE, Client, key_from
from homeostat.local.discovery import is_running, last_urls_of, starting_of
from shared.errors import Misconfigured
from shared.pipeline.load import load

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="HOMEOSTAT_URL", help="The gateway's address. Default: the local stack's own."),
]
Key = Annotated[
    str | None, typer.Option("--api-key", envvar="HOMEOSTAT_API_KEY", help="Default: the local stack's own key.")
]
Data = Annotated[Path, typer.Option("--data", envvar="HOMEOSTAT_DATA", help="The local stack's data folder.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, and nothing else.")]
Pipeline = Annotated[str, typer.Argument(help="A pipeline's name, or the path of its specification.")]
AnyPipeline = Annotated[
    str | None,
    typer.Argument(help="A pipeline's name, or the path of its specification. Default: every pipeline."),
]

USUAL_URL = "http://127.0.0.1:8080"
DEFAULT_DATA = Path(".homeostat")
P = ParamSpec("P")
_GATEWAY = (("url", None, Url), ("api_key", None, Key), ("data", DEFAULT_DATA, Data))


def connect(url: str | None, api_key: str | None, data: Path) -> Client:
    """A client for the gateway at `url`, else for that of the stack that runs on `data`, with its key."""
    kept = key_from(data)
    client = Client(url or last_urls_of(data).get("gateway", USUAL_URL), api_key or kept)
    if url is None and not is_running(data):
        client.hint = f"No stack runs on {data}: `homeostat up` starts one"
    elif url is None and starting_of(data):
        client.hint = f"It is {starting_of(data)}; ask again in some seconds"
    client.key_hint = _key_hint(client.url, "--api-key" if api_key else data / KEY_FILE if kept else None, data)
    return client


def _key_hint(url: str, key: Path | str | None, data: Path) -> str:
    """What to say where the stack at `url` does not accept the key that was found in `key`."""
    if key == "--api-key":
        return f"The key that was given is not one of the stack at {url}"
    what = f"{data} has no key" if key is None else f"The key in {key} is not accepted"
    return (
        f"{what}: the stack at {url} may belong to another data folder. Say which with --data FOLDER, give its key "
        "with --api-key, or `homeostat up --data FOLDER --port 0` starts a stack of this folder beside it"
    )


def on_gateway(command: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """The command with the options that find the gateway; it is given a client for as long as it runs."""
    hints = get_type_hints(command, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in list(signature(command).parameters.values())[1:]]
    ours = [Parameter(name, Parameter.KEYWORD_ONLY, default=usual, annotation=kind) for name, usual, kind in _GATEWAY]

    def run(*words: P.args, **options: P.kwargs) -> None:
        url, api_key, data = (options.pop(name) for name, _, _ in _GATEWAY)
        with connect(url, api_key, data) as client:  # type: ignore[arg-type]
            command(client, *words, **options)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {p.name: p.annotation for p in (*own, *ours)}
    run.__signature__ = Signature([*own, *ours])  # type: ignore[attr-defined]
    return run


def specification_of(client: Client, pipeline: str) -> dict[str, Any]:
    """The specification in force under this name; given a path, the one that stands there, not yet made known."""
    if is_file(pipeline):
        return load(Path(pipeline)).canonical
    found: dict[str, Any] = client.get(f"/v1/pipelines/{pipeline}")["specification"]
    return found


def pipeline_name(client: Client, pipeline: str) -> str:
    """The pipeline's name. Given a specification's path, the pipeline is made known first."""
    if not is_file(pipeline):
        return pipeline
    specification = load(Path(pipeline))
    client.define(specification.canonical)
    return specification.name


def filter_of(client: Client, pipeline: str | None) -> str | None:
    """The name by which a list is narrowed down; None where none is given."""
    return None if pipeline is None else pipeline_name(client, pipeline)


def pipelines_of(client: Client, pipeline: str | None) -> list[dict[str, Any]]:
    """What the gateway says of this pipeline, or of each one there is."""
    if pipeline is not None:
        return [client.get(f"/v1/pipelines/{pipeline_name(client, pipeline)}")]
    found: list[dict[str, Any]] = client.get("/v1/pipelines")["pipelines"]
    return found


def is_file(pipeline: str) -> bool:
    """Whether it is the path of a specification; `Misconfigured` where it can be neither that nor a name."""
    if not pipeline.endswith((".yaml", ".yml")) and set(pipeline) & set("./\\"):
        raise Misconfigured(
            f"{pipeline} is no pipeline: first comes a pipeline's name (homeostat status lists them) or the path of "
            "its specification (.yaml), then the file of rows"
        )
    return pipeline.endswith((".yaml", ".yml"))
