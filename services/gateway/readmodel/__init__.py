"""Pure folds of topics into what the interface shows. Each has a bound on its memory.

All of them live on the event loop's thread: the follower hands entries over to it, so neither a
fold nor an answer needs a lock.
"""
