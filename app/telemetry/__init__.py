"""What operators' own tools see of the work: traces and metrics over OTLP. Off, and nothing of it loaded, unless asked.

`spans` is the seam that all other code calls; it knows nothing of OpenTelemetry. Only `otlp` and `points` import that,
and they are loaded by `process` in a process whose settings name a collector.
"""
