"""Quix Streams as documented: a streaming data frame, a function applied to each message, answers to a topic."""

from __future__ import annotations

from quixstreams import Application

from benchmarks.peers.told import told


def main() -> None:
    given = told(__doc__)
    app = Application(broker_address=given.bootstrap, consumer_group=given.group, auto_offset_reset="earliest")
    source = app.topic(given.source, value_deserializer="json")
    target = app.topic(given.target, value_serializer="json")
    app.dataframe(source).apply(given.one).to_topic(target, key=lambda answer: answer["id"])
    app.run()


if __name__ == "__main__":
    main()
