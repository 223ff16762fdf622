import os
import urllib.request

from celery import Celery

app = Celery("shop", broker=os.environ.get("CELERY_BROKER_URL", "memory://"))


@app.task
def check_email_replies_task():
    request = urllib.request.Request(
        os.environ["REPLYD_URL"] + "/api/campaigns/check-replies?days=1",
        method="POST",
        headers={"Authorization": "Bearer " + os.environ["REPLYD_TOKEN"]},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read().decode()


app.conf.beat_schedule = {
    "check-email-replies": {
        "task": check_email_replies_task.name,
        "schedule": 60.0,
    },
}
