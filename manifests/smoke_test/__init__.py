"""The smoke test: a Job that asks every model and, before and while it asks, repairs the service.

`job.py` writes the Job, `access.py` its rights, `script_files.py` the ConfigMap with the program.
The program itself is `script/`; of its files only `script/repairs.py` changes anything in the
cluster.
"""
