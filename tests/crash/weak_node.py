"""The node with a ledger that does not wait for the disk: what the rig must find out, or it has no teeth.

Run as the node is: ``python -m tests.crash.weak_node node CONFIG``.
"""

from steunpunt.__main__ import main
from steunpunt.ledger import store

if __name__ == "__main__":
    mode, strong, *others = store._PRAGMAS
    if strong != "PRAGMA synchronous=FULL":
        raise SystemExit("the ledger's second setting is no longer synchronous=FULL; there is nothing to weaken")
    vars(store)["_PRAGMAS"] = (mode, "PRAGMA synchronous=NORMAL", *others)
    main()
