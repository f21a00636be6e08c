"""A cloud on this machine, for previews without an account and for tests.

Start with devtools/localcloud/README.md. `python -m localcloud` runs pulumi commands in it, and
`localcloud.cloud.LocalCloud` does the same for tests.
"""
