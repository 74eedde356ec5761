"""The text coder in C, compiled for a test from the source that is there now."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SOURCES = PROJECT / "daemon" / "steunpunt" / "textmodel" / "coder"
SANITIZED = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
CC = [found] if (found := shutil.which("cc")) else []


def build(path: Path, flags: str = "-O2") -> Path:
    """Compile as `make native` does, to ``path``."""
    command = ["make", "--silent", "native", f"TEXTCODER={path}", f"TEXTCODER_FLAGS=-Werror {flags}"]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=120)
    return path


def under_sanitizers(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python so that it can load a library built with SANITIZED, and its own memory is watched as well."""
    ask = [[*CC, f"-print-file-name={name}"] for name in ("libasan.so", "libubsan.so")]
    preload = [subprocess.run(each, capture_output=True, text=True, check=True).stdout.strip() for each in ask]
    watched = {"LD_PRELOAD": " ".join(preload), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, **watched},
        capture_output=True,
        text=True,
        check=False,
    )
