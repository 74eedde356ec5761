"""Runs a configured command: without a shell, for a bounded time; what went wrong comes back as one line."""

import os
import shlex
import signal
import subprocess
import tempfile

SAID_CHARS_MAX = 200
"""What is repeated of a command's own complaint."""
_KILLED_S_MAX = 2.0


def run(command: str, seconds_max: float) -> str:
    """Return "" when the command ended with exit code 0 in time, else why not."""
    words = shlex.split(command)
    with tempfile.TemporaryFile() as said:  # a pipe would stay open as long as any child of the command
        try:
            process = subprocess.Popen(  # noqa: S603  the technician's own command, from the config
                words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
        except OSError as error:
            return f"{words[0]}: cannot be run ({error.strerror}); correct the command in the config"
        try:
            code = process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"{words[0]}: not done after {seconds_max:g} s, stopped"
        if code == 0:
            return ""
        said.seek(0)
        text = " ".join(said.read(4 * SAID_CHARS_MAX).decode("utf-8", "replace").split())
        return f"{words[0]}: exit code {code}" + (f": {text[:SAID_CHARS_MAX]}" if text else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started, by its own process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_KILLED_S_MAX)
    except (OSError, subprocess.TimeoutExpired):  # it waits for a device: the kernel lets it go later
        return
