"""The protocol on the air: pure functions over bytes.

No input or output, no clock, no randomness of its own: whoever calls hands in ages, keys and random
bytes. The layout is written down in ``docs/security/protocol.md``.
"""
