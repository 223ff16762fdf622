"""The receiver of docs/RECIPES.md, word by word."""
from django.urls import path

from .receiver import replyd_hook

urlpatterns = [path("hooks/replyd/", replyd_hook)]
