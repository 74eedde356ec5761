"""The step: events in, one transaction, effects out. Driven by the node and by tests alike.

An engine opens nothing and waits for nothing: it is handed a connection inside a transaction, the events, and the
time; what it returns is done by the caller after the commit. A crash between commit and act means that something is
sent twice, and every receiver removes duplicates.
"""
