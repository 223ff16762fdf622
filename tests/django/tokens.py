"""Prints the tokens that a Django front end sends for user 3 (argument: the key), one a line: by PyJWT, and by
djangorestframework-simplejwt."""
import datetime as dt
import sys

import jwt
from django.conf import settings

key = sys.argv[1]
settings.configure(
    SECRET_KEY=key,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    SIMPLE_JWT={"SIGNING_KEY": key, "ALGORITHM": "HS256"},
)

import django  # noqa: E402

django.setup()

from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402

now = dt.datetime.now(dt.timezone.utc)
print(jwt.encode({"user_id": 3, "iat": now, "exp": now + dt.timedelta(hours=1)}, key, algorithm="HS256"))
token = AccessToken()
token["user_id"] = "3"
print(token)
