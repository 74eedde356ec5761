"""The durable store: tables, migrations and the few queries.

At a kiosk only the node opens it; at a desk node and web share it. Nothing exists until it is committed here.
"""
