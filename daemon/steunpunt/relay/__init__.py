"""Pure decisions over rows handed in: what to send next, on which link, when again, and what a reply changes.

No clock, no randomness, no ledger: ``now_ms`` and ``jitter`` are arguments.
"""
