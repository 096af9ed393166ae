"""The demo: a real stream, faults put in on the way, and what the loop makes of them.

`story` says what happens when, `player` sends it, `watcher` reads the topics as any client could,
`outcome` judges, `view` and `chart` show. `run` ties them together.
"""
