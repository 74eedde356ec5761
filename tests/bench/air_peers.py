"""Others that make short texts shorter: from PyPI, in an environment of their own, asked for lengths alone."""

import json
import subprocess
import sys
from pathlib import Path

PEERS = {"unishox2": "unishox2-py3", "smaz": "smaz-py3"}
"""By what is imported; smaz where unishox2 has no wheel for this machine and does not build."""
INSTALL_S_MAX = 300
MEASURE_S_MAX = 60
_ASK = """
import json, sys
name, texts = json.load(sys.stdin)
if name == "unishox2":
    from unishox2 import compress
    lengths = [len(compress(text)[0]) for text in texts]
else:
    from smaz import compress
    lengths = [len(compress(text)) for text in texts]
json.dump(lengths, sys.stdout)
"""


class NoPeer(Exception):
    """None of the others could be installed here."""


def peer_lengths(cache: Path, texts: list[str]) -> tuple[str, list[int]]:
    """Return who was asked, and how many bytes it makes of each text; NoPeer with the last words of pip."""
    python = cache / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(cache)], check=True)
    said = ""
    for name, package in PEERS.items():
        said = _install(python, package)
        if not said:
            asked = json.dumps([name, texts])
            done = subprocess.run(
                [python, "-c", _ASK], input=asked, capture_output=True, text=True, check=True, timeout=MEASURE_S_MAX
            )
            return name, json.loads(done.stdout)
    raise NoPeer(f"neither of {', '.join(PEERS.values())} could be installed: {said}")


def _install(python: Path, package: str) -> str:
    """Install a package; return "" or what pip said last."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", package]
    result = subprocess.run(pip, check=False, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    return "" if result.returncode == 0 else result.stderr.strip().splitlines()[-1]
