"""Where alerts go."""

from __future__ import annotations

import asyncio
import base64
import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.delivery.channels import NotDelivered
from services.gateway.delivery.guard import Refused
from services.gateway.delivery.notice import test_notice
from services.gateway.delivery.store import Filters, Subscription
from services.gateway.parts import Needs, Parts
from services.gateway.rest.problems import Problem, not_found
from shared.clock import fresh_id

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])


class NewSubscription(BaseModel):
    """`type`: a signed webhook, Alertmanager's webhook form, or any apprise URL."""

    model_config = ConfigDict(extra="forbid")
    url: Annotated[str, Field(min_length=3, max_length=2000)]
    type: Literal["webhook", "alertmanager", "apprise"] = "webhook"
    name: Annotated[str, Field(max_length=200)] = ""
    filters: Filters = Filters()
    secret: Annotated[
        str | None,
        Field(pattern=r"^whsec_[A-Za-z0-9+/]{32,}={0,2}$", description="Signs webhooks; made where none is given."),
    ] = None


@router.post("", status_code=201)
async def create(body: NewSubscription, http: Request, parts: Needs) -> dict[str, Any]:
    """From now on the receiver is told. The secret is shown this once."""
    try:
        await parts.deliveries.channels.check(body.type, body.url)
    except Refused as error:
        fault = {"pointer": "#/url", "detail": str(error)}
        raise Problem(422, "url-refused", str(error), errors=[fault]) from error
    secret = body.secret
    if secret is None and body.type == "webhook":
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    name = fresh_id("subscription")
    subscription = Subscription(
        id=name,
        name=body.name or name,
        type=body.type,
        url=body.url,
        secret=secret,
        filters=body.filters,
        created_at=parts.now(),
        created_by=f"person:{http.state.identity.name}",
        cursor=parts.deliveries.here(),
    )
    await asyncio.to_thread(parts.subscriptions.add, subscription)
    parts.deliveries.begin(subscription)
    return _shown(subscription) | ({"secret": secret} if secret else {})


@router.get("")
async def subscriptions(parts: Needs) -> dict[str, Any]:
    """All of them, without their secrets; apprise URLs, which hold tokens, are cut short."""
    return {"subscriptions": [_shown(subscription) for subscription in parts.subscriptions]}


@router.get("/{subscription}")
async def one(subscription: str, parts: Needs) -> dict[str, Any]:
    """One of them, and what could not be delivered to it."""
    found = _of(parts, subscription)
    undeliverable = [lost.model_dump(mode="json") for lost in found.undeliverable]
    return _shown(found) | {"undeliverable": undeliverable}


@router.delete("/{subscription}", status_code=204)
async def delete(subscription: str, parts: Needs) -> Response:
    """The receiver is told no more."""
    _of(parts, subscription)
    await asyncio.to_thread(parts.subscriptions.remove, subscription)
    parts.deliveries.end(subscription)
    return Response(status_code=204)


@router.post("/{subscription}/test")
async def test(subscription: str, parts: Needs) -> dict[str, Any]:
    """Sends a test notice now, once: 502 says why it did not arrive."""
    found = _of(parts, subscription)
    notice = test_notice(found.name, parts.now())
    try:
        await parts.deliveries.channels.send(found, notice, parts.now())
    except NotDelivered as error:
        raise Problem(502, "not-delivered", str(error)) from error
    return {"delivered": True, "id": notice.id}


def _of(parts: Parts, subscription: str) -> Subscription:
    found = parts.subscriptions.get(subscription)
    if found is None:
        raise not_found("subscription", subscription, "/v1/subscriptions")
    return found


def _shown(subscription: Subscription) -> dict[str, Any]:
    view = subscription.model_dump(mode="json", exclude={"secret", "undeliverable", "cursor"})
    if subscription.type == "apprise":
        view["url"] = subscription.url.partition("://")[0] + "://…"
    return view
