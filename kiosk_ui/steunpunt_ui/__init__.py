"""The screens of a noodsteunpunt: the citizen's kiosk and the coordinator's desk."""
