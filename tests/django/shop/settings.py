"""A campaign application as replyd's predecessor was, as far as its data goes."""
import os

SECRET_KEY = "a-key-of-the-tests-that-is-long-enough-for-hs256"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "campaigns",  # before leads, which it refers to
    "leads",
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SHOP_DB", "shop.sqlite3")}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = []
