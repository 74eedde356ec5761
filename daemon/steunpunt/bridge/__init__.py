"""What integrators see and may send over the local broker: Meshtastic's own topics, Home Assistant, figures. Pure.

Nothing here knows a socket or a clock: packets, events and the time come in, topics and payloads go out.
"""
