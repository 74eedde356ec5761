"""The daemon of a noodsteunpunt: it keeps requests for help and carries them to the people who answer."""

__version__ = "0.1.0"
