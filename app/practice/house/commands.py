"""Several `flask …` in one process: to start Python and the service anew for each takes longer than the commands do.

`python commands.py` reads `[[{VARIABLE: value}, [word, …]], …]` from its input and prints what each command printed, as
JSON. It is run as a file, so that it serves any checkout of the service.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stdout

from flask.cli import ScriptInfo, cli


def printed(variables: dict[str, str], words: list[str]) -> str:
    """What the command printed. Raises what the command raises; it may also end by an exit that says all is well."""
    os.environ.update(variables)
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            cli.main(args=words, prog_name="flask", standalone_mode=False, obj=ScriptInfo())
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        for name in variables:
            os.environ.pop(name, None)
    return out.getvalue()


if __name__ == "__main__":
    print(json.dumps([printed(variables, words) for variables, words in json.load(sys.stdin)]))
