"""Models as artefacts: packed, signed, stored by content, loaded without running code.

`artifact` packs and loads, `store` keeps bytes by their SHA-256, `signing` says who made them,
`inputs` is the one way from feature rows to a model's numbers, in training and in scoring.
Importing this package imports no learning library: a format's library comes with its first artefact.
"""
