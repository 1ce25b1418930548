"""The name of this process: the holder it gives when it takes a lease by name, such as that of a leader."""

from __future__ import annotations

import os
import socket
import uuid

HOLDER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
