"""What every service builds on: topics, messages, the bus, the runtime, the pipeline specification.

`shared` imports no service. Inside it, imports point down this list:
runtime -> bus | state | models | telemetry -> codec -> topics -> messages -> errors | settings.
"""
