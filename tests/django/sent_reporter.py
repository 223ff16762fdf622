import json
import os
import urllib.request


def tell_replyd(mails):
    """`mails`: dicts with message_id, campaign_lead_id, date, and better subject and text; at most 500."""
    request = urllib.request.Request(
        os.environ["REPLYD_URL"] + "/api/sent",
        data=json.dumps({"mails": mails}).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["REPLYD_TOKEN"],
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        items = json.load(answer)["items"]
    return [item for item in items if item["result"] == "refused"]
