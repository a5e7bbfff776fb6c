"""Webhooks: events are signed and sent to their receivers, apart from all other work of the process."""
