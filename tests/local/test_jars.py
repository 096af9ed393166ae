from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.local.jars import KAFKA_VERSION, Jar, kafka_class_path, locked_jars
from shared.errors import Misconfigured


@pytest.fixture
def impostor() -> Iterator[str]:
    """A Maven repository that has the same few bytes for whatever is asked."""

    class Same(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"not a jar")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Same)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_lock_holds_the_broker_and_the_binding_that_lets_it_write_a_log() -> None:
    names = {jar.coordinate.rsplit(":", 1)[0] for jar in locked_jars()}

    assert {"org.apache.kafka:kafka_2.13", "org.apache.logging.log4j:log4j-slf4j-impl"} <= names
    assert all(len(jar.sha256) == 64 for jar in locked_jars())


def test_a_jar_lies_where_maven_puts_it() -> None:
    jar = Jar(f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "")

    assert jar.path == f"org/apache/kafka/kafka_2.13/{KAFKA_VERSION}/kafka_2.13-{KAFKA_VERSION}.jar"


def test_a_jar_with_another_hash_is_refused_and_not_kept(tmp_path: Path, impostor: str) -> None:
    with pytest.raises(Misconfigured, match="it was not used"):
        kafka_class_path(tmp_path, impostor)

    assert not list(tmp_path.rglob("*.jar"))
