"""The least a Flask route can do: read the body and answer 202. What the intake's throughput is compared with."""

from __future__ import annotations

from flask import Flask, Response, request

app = Flask(__name__)


@app.post("/<path:_anything>")
def answer(_anything: str) -> Response:
    request.get_data()
    return Response(status=202)
