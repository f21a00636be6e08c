"""The schedule that lets models sleep: a CronJob whose pod looks every five minutes.

`record.py` writes the RayService's annotation, from which the pod reads windows and minima,
`cron_job.py` the CronJob, `access.py` its rights, `script_files.py` the ConfigMap with the program.
The program itself is `script/`; it changes numbers in `serveConfigV2` and nothing else.
"""
