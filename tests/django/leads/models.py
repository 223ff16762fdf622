from django.db import models


class Lead(models.Model):
    lead_id = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=255)
    email = models.EmailField(blank=True)
    country_code = models.CharField(max_length=10, blank=True)
    phone = models.CharField(max_length=30, blank=True)
    project_name = models.CharField(max_length=255, blank=True)
    unit_type = models.CharField(max_length=100, blank=True)
    budget_min = models.DecimalField(max_digits=15, decimal_places=2, null=True)
    budget_max = models.DecimalField(max_digits=15, decimal_places=2, null=True)
    status = models.CharField(max_length=50, blank=True)
    last_conversation_date = models.DateField(null=True)
    last_conversation_summary = models.TextField(blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)
