"""The node with a ledger that does not wait for the disk: what the rig must find out, or it has no teeth.

Run as the node is: ``python -m tests.crash.weak_node node CONFIG``.
"""

from steunpunt.__main__ import main
from steunpunt.ledger import store

if __name__ == "__main__":
    strong = "PRAGMA synchronous=FULL"
    if strong not in store._PRAGMAS:
        raise SystemExit(f"the ledger no longer says {strong}; this control run has nothing to weaken")
    store._PRAGMAS = tuple("PRAGMA synchronous=NORMAL" if word == strong else word for word in store._PRAGMAS)
    main()
