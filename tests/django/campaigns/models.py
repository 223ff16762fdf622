from django.conf import settings
from django.db import models


class Conversation(models.Model):
    """Before the models that it refers to: a dump keeps this order within an app."""

    SENDERS = [("customer", "Customer"), ("agent", "Agent")]
    campaign_lead = models.ForeignKey("campaigns.CampaignLead", on_delete=models.CASCADE)
    sender = models.CharField(max_length=20, choices=SENDERS)
    message = models.TextField()
    agent_tool_used = models.CharField(max_length=50, null=True)
    email_message_id = models.CharField(max_length=255, null=True)
    email_in_reply_to = models.CharField(max_length=255, null=True)
    sales_team_notified = models.BooleanField(default=False)
    auto_reply_processed = models.BooleanField(default=False)
    created_at = models.DateTimeField()


class Campaign(models.Model):
    name = models.CharField(max_length=255)
    project_name = models.CharField(max_length=255, blank=True)
    channel = models.CharField(max_length=20, default="email")
    offer_details = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)


class CampaignLead(models.Model):
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE)
    lead = models.ForeignKey("leads.Lead", on_delete=models.CASCADE)
    message_sent = models.BooleanField(default=False)
    message_sent_at = models.DateTimeField(null=True)
    personalized_message = models.TextField(blank=True)
    email_message_id = models.CharField(max_length=255, null=True)
    created_at = models.DateTimeField()

    class Meta:
        unique_together = [("campaign", "lead")]
