"""Answers every event with the live version.

In: features, model-published, pipelines. Out: predictions; command-results where a publication that
a command asked for is refused. The same versions answer the Open Inference Protocol over HTTP.
"""
