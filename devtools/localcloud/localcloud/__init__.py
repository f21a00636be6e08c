"""A cloud on this machine, for previews without an account and for tests.

Start at the README.md beside this package; `python -m localcloud` runs pulumi commands in
it, `localcloud.cloud.LocalCloud` does the same for tests.
"""
