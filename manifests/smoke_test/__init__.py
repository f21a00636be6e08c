"""The Job that asks every model after a deployment."""
