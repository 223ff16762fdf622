import hashlib
import hmac
import os
import time

from flask import Flask, request

app = Flask(__name__)
SECRET = os.environ["REPLYD_WEBHOOK_SECRET"].encode()
seen = set()  # in your application: a table with a unique column


def is_from_replyd(header, body, tolerance=300):
    """Whether `body` was signed with our secret, at most `tolerance` seconds ago."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not SECRET or not stamp.isdigit() or abs(time.time() - int(stamp)) > tolerance:
        return False
    wanted = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), parts.get("v1", "").encode())


@app.post("/hooks/replyd")
def replyd_hook():
    if not is_from_replyd(request.headers.get("Replyd-Signature", ""), request.get_data()):
        return "", 401
    event_id = request.headers["Replyd-Event-Id"]
    if event_id not in seen:  # a delivery may come twice
        event = request.get_json()
        print("EVENT", event_id, event["type"], event["lead"]["email"] if event["lead"] else None, flush=True)
        seen.add(event_id)
    return "", 204
