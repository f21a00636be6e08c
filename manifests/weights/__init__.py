"""Weights in a bucket or on a disk: what mounts them, what fills the bucket, and who may do so.

script/ is the program that the filling Job runs.
"""
