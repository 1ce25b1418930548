"""What the processes of the service do about signals that mean something else elsewhere."""

from __future__ import annotations

import signal


def ignore_hangups() -> None:
    """Let SIGHUP end nothing, in this process and in those that it starts.

    A closed terminal or a zealous log rotation sends it, and its default is to end a process in the middle of a write.
    It reloads nothing either: settings and keys are read at the start, and who changes them starts the processes again.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
