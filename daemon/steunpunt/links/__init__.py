"""The roads out: ``mesh`` (a Meshtastic radio) and ``broker`` (the local mosquitto)."""
