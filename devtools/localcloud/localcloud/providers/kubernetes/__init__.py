"""The `kubernetes` stand-in: objects, Helm releases and YAML components."""
