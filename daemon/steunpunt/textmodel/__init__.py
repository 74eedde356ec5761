"""The trained text model and the deflate dictionary, as files beside this module.

They are data that belongs to the program, like its code: :mod:`steunpunt.protocol.text` asks for them once, at the
first text. How they are made is in ``tests/textmodel/``.
"""

import pkgutil

from steunpunt.model import SteunpuntError

_MODEL_FILE = "model-1.bin"
_DICTIONARY_FILE = "dictionary-1.txt"


class NotUsable(SteunpuntError):
    """The compiled coder cannot be used; says why, and the mend."""


def model() -> bytes:
    """Return the n-gram model of version 1; OSError when the installation is not whole."""
    return _data(_MODEL_FILE)


def dictionary() -> bytes:
    """Return the deflate dictionary of version 1, its most useful part last; OSError as for :func:`model`."""
    return _data(_DICTIONARY_FILE)


def _data(name: str) -> bytes:
    data = pkgutil.get_data(__name__, name)
    if data is None:
        raise FileNotFoundError(f"{name} of {__name__} cannot be read from where it was installed; install it again")
    return data
