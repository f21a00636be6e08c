"""The rules: each reads a case and yields what it finds wrong, and asks nobody anything."""
