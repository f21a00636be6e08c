"""The program of the Job that fills the bucket of weights; it runs in Ray's image.

Nothing here may import anything but Python's own library and huggingface_hub, which that image has.
"""
