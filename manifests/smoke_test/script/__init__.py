"""The program of the smoke test: it asks every model one small question, and repairs the service.

It runs as a Job in the cluster, in the Ray image, with the standard library and PyYAML alone, on
Python 3.9 or later. `main.py` is its course. `service_view.py` reads what KubeRay and Serve say,
`model_check.py` judges and asks one model, and `repairs.py` is the only file that changes anything
in the cluster.
"""
