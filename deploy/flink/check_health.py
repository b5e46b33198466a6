"""The health check of Flink's containers: `check_health.py job` or `check_health.py taskmanager`, exit code 0 or 1.

In: the JobManager's REST address. Out: job: it runs, and its last checkpoint is no older than a minute, so that one that stands still
is unhealthy. taskmanager: the JobManager has heard of this machine within ten seconds. Never here: restarting anything.
"""

import json
import socket
import sys
import time
import urllib.request

URL = "http://flink:8081"
OLDEST_CHECKPOINT_S = 60
OLDEST_HEARTBEAT_S = 10


def ask(path):
    with urllib.request.urlopen(URL + path, timeout=4) as answer:
        return json.load(answer)


def job():
    running = [one["jid"] for one in ask("/jobs/overview")["jobs"] if one["state"] == "RUNNING"]
    if not running:
        return "no job is running"
    latest = ask(f"/jobs/{running[0]}/checkpoints")["latest"]["completed"]
    age_s = time.time() - (latest["latest_ack_timestamp"] / 1000 if latest else 0)
    return None if age_s < OLDEST_CHECKPOINT_S else "no checkpoint within a minute"


def taskmanager():
    here = socket.gethostbyname(socket.gethostname())
    heard = [one["timeSinceLastHeartbeat"] for one in ask("/taskmanagers")["taskmanagers"] if here in one["path"]]
    if not heard:
        return f"the JobManager does not know {here}"
    return None if time.time() - max(heard) / 1000 < OLDEST_HEARTBEAT_S else "the JobManager hears nothing of it"


if __name__ == "__main__":
    try:
        ailment = {"job": job, "taskmanager": taskmanager}[sys.argv[1]]()
    except OSError as error:
        ailment = str(error)
    if ailment is not None:
        sys.exit(ailment)
