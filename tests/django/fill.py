"""Makes the tables and rows of the tests: `SHOP_DB=… python fill.py`, then `manage.py dumpdata`."""
import datetime as dt
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

import django  # noqa: E402

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", run_syncdb=True, verbosity=0)

from campaigns.models import Campaign, CampaignLead, Conversation  # noqa: E402
from leads.models import Lead  # noqa: E402

T0 = dt.datetime(2024, 5, 1, 9, 30, 15, 250000, tzinfo=dt.timezone.utc)


def at(hours):
    return T0 + dt.timedelta(hours=hours)


users = {}
for pk, name in [(3, "ann"), (8, "bob")]:
    user = get_user_model()(id=pk, username=name, email=f"{name}@shop.example", date_joined=T0)
    user.set_unusable_password()
    user.save()
    users[name] = user

for pk, key, name, email in [
    (11, "L-11", "Zoë Lee", "Zoe.Lee@example.net"),
    (12, "L-12", "Omar Haddad", "omar@example.org"),
    (40, "L-40", "No Mail", ""),
]:
    Lead.objects.create(
        id=pk, lead_id=key, name=name, email=email, country_code="+971", phone="501234567",
        project_name="Lakeside", unit_type="2 bed", budget_min="1300000.00", budget_max=None,
        status="hot", last_conversation_date=dt.date(2024, 4, 30),
        last_conversation_summary="Wants a view.\nCall after 5, \"please\"", created_at=T0,
    )

spring = Campaign.objects.create(id=5, name="Spring", project_name="Lakeside", created_by=users["ann"], created_at=T0)
same = Campaign.objects.create(
    id=6, name="Spring", project_name="Hills", created_by=users["bob"], is_active=False, created_at=T0
)
Campaign.objects.create(id=9, name="By phone", channel="whatsapp", created_by=None, created_at=T0)

NEW = "0b7f3c2a-11de-4a5b-9c3d-aaaaaaaaaaaa@nurturingai.local"
OLD = "0b7f3c2a-11de-4a5b-9c3d-bbbbbbbbbbbb@nurturingai.local"
CampaignLead.objects.create(
    id=21, campaign=spring, lead_id=11, message_sent=True, message_sent_at=at(5),
    personalized_message="Dear Zoë, the second mail.", email_message_id=NEW, created_at=T0,
)
CampaignLead.objects.create(
    id=22, campaign=spring, lead_id=12, message_sent=True, message_sent_at=at(1),
    personalized_message="Dear Omar, a mail.", email_message_id="omar-1@nurturingai.local", created_at=T0,
)
CampaignLead.objects.create(id=30, campaign=same, lead_id=11, created_at=T0)

for pk, lead, sender, text, tool, mid, parent, told, done, hour in [
    (101, 21, "agent", "Dear Zoë, the first mail.", "message_generation", OLD, None, False, False, 1),
    (102, 21, "agent", "Dear Zoë, the second mail.", "message_generation", NEW, None, False, False, 5),
    (103, 21, "customer", "Is there a pool?", None, "zoe-1@example.net", OLD, False, True, 6),
    (104, 21, "agent", "There is.\n---\nBest regards", "document_rag", "ai-1@nurturingai.local", "zoe-1@example.net", False, False, 7),
    (105, 22, "agent", "Dear Omar, a mail.", "message_generation", "omar-1@nurturingai.local", None, False, False, 1),
    (110, 22, "customer", "Please call me.\n<script>alert(1)</script>", None, "omar-r@example.org", "omar-1@nurturingai.local", True, False, 8),
]:
    Conversation.objects.create(
        id=pk, campaign_lead_id=lead, sender=sender, message=text, agent_tool_used=tool,
        email_message_id=mid, email_in_reply_to=parent, sales_team_notified=told,
        auto_reply_processed=done, created_at=at(hour),
    )
