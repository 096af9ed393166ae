"""Who may do what, and from where."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from services.gateway.app import create_app
from services.gateway.rest.auth import PUBLIC, session_secret
from services.gateway.settings import gateway_settings
from shared.errors import Misconfigured
from tests.services.gateway.running import HASHES, KEY, Running, running


def every_route(gateway: Running) -> list[tuple[str, str]]:
    paths = create_app(gateway.parts).openapi()["paths"]
    routes = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    return [*routes, ("GET", "/nowhere"), ("GET", "/assets/nowhere.js")]


def test_every_route_but_the_public_ones_asks_for_a_key(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as stranger:
        answers = {
            (method, path): stranger.request(method, re.sub(r"\{[^}]*\}", "x", path))
            for method, path in every_route(gateway)
            if path not in PUBLIC
        }

    assert len(answers) > 40
    assert {answer.status_code for answer in answers.values()} == {401}
    assert all(answer.headers["www-authenticate"] == "Bearer" for answer in answers.values())


def test_what_is_public_tells_nothing_of_the_data(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as stranger:
        for path in PUBLIC:
            if path != "/v1/session":
                assert stranger.get(path).status_code == 200
                assert "elec2" not in stranger.get(path).text


def test_the_interface_is_described_to_anybody_and_the_same_for_everybody(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as stranger:
        page, document = stranger.get("/docs"), stranger.get("/openapi.json")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert document.json() == gateway.http.get("/openapi.json").json()


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_without_a_key_is_told_what_to_do_in_a_page(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as stranger:
        page = stranger.get("/v1/pipelines", headers=BROWSER)
        program, sent = stranger.get("/v1/pipelines"), stranger.post("/v1/pipelines", json={}, headers=BROWSER)

    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert all(word in page.text for word in ("homeostat up", "#key=", "Authorization: Bearer KEY"))
    assert page.headers["www-authenticate"] == "Bearer"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert {answer.headers["content-type"] for answer in (program, sent)} == {"application/problem+json"}


@pytest.mark.parametrize("key", ["", "wrong", KEY + "x", KEY[:-1], "0" * 64, HASHES["tester"]])
def test_a_wrong_key_is_refused_and_so_is_a_hash(gateway: Running, key: str) -> None:
    with httpx.Client(base_url=gateway.url) as stranger:
        by_bearer = stranger.get("/v1/pipelines", headers={"Authorization": f"Bearer {key}x"})
        by_header = stranger.get("/v1/pipelines", headers={"X-API-Key": key})

    assert (by_bearer.status_code, by_header.status_code) == (401, 401)
    assert "none of this gateway's" in by_bearer.json()["detail"]


def test_a_key_is_taken_in_either_header(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as client:
        assert client.get("/v1/pipelines", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
        assert client.get("/v1/pipelines", headers={"X-API-Key": KEY}).status_code == 200


def test_the_browser_gets_a_session_that_scripts_cannot_read(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as browser:
        answer = browser.post("/v1/session", json={"key": KEY})
        inside = browser.get("/v1/pipelines")
        browser.cookies.set("homeostat_session", browser.cookies["homeostat_session"][:-1] + "x")
        forged = browser.get("/v1/pipelines")

    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert KEY not in cookie
    assert inside.status_code == 200
    assert forged.status_code == 401


def test_a_session_outlives_a_restart_of_the_gateway_and_not_its_key(tmp_path: Path) -> None:
    with running(tmp_path) as first, httpx.Client(base_url=first.url) as browser:
        browser.post("/v1/session", json={"key": KEY})
        cookie = browser.cookies["homeostat_session"]
    cookies = {"homeostat_session": cookie}

    with running(tmp_path) as second:
        assert httpx.get(second.url + "/v1/pipelines", cookies=cookies).status_code == 200
    with running(tmp_path, api_key_hashes={"other": "0" * 64}) as third:
        assert httpx.get(third.url + "/v1/pipelines", cookies=cookies).status_code == 401


def test_a_page_of_another_origin_cannot_act_with_the_session(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as browser:
        browser.post("/v1/session", json={"key": KEY})
        foreign = browser.post("/v1/pipelines/elec2/hold", headers={"Origin": "http://127.0.0.1:9999"})
        own = browser.post("/v1/pipelines/elec2/hold", headers={"Origin": gateway.url})

    assert foreign.status_code == 403
    assert own.status_code == 202


def test_without_keys_only_requests_to_localhost_are_taken(tmp_path: Path) -> None:
    with running(tmp_path, api_key_hashes={}) as gateway, httpx.Client(base_url=gateway.url) as client:
        assert client.get("/v1/pipelines").status_code == 200
        assert client.get("/v1/pipelines", headers={"Host": "evil.example"}).status_code == 403
        assert client.post("/v1/pipelines", json={}, headers={"Origin": "http://evil.example"}).status_code == 403


def test_it_refuses_to_listen_to_strangers_without_a_key() -> None:
    with pytest.raises(Misconfigured, match="HOMEOSTAT_API_KEY_HASHES"):
        gateway_settings({"HOMEOSTAT_HOST": "0.0.0.0"})

    assert gateway_settings({"HOMEOSTAT_HOST": "0.0.0.0", "HOMEOSTAT_API_KEY_HASHES": "0" * 64}).port == 8080


def test_a_hash_that_is_none_is_refused() -> None:
    with pytest.raises(Misconfigured, match="SHA-256"):
        gateway_settings({"HOMEOSTAT_API_KEY_HASHES": KEY})


def test_a_session_that_no_gateway_signed_is_refused_whatever_it_is_made_of(gateway: Running) -> None:
    forged = 'homeostat_session="9999999999.6c6f63616c.\xe9"'.encode("latin-1")

    with httpx.Client(base_url=gateway.url) as stranger:
        assert stranger.get("/v1/pipelines", headers={b"cookie": forged}).status_code == 401


def test_a_session_secret_is_whole_and_for_its_owner_alone_or_it_is_refused(tmp_path: Path) -> None:
    made = session_secret(tmp_path / "session-secret")
    (tmp_path / "cut-short").touch()

    assert len(made) == 32
    assert session_secret(tmp_path / "session-secret") == made
    assert (tmp_path / "session-secret").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Misconfigured, match="cut-short"):
        session_secret(tmp_path / "cut-short")
