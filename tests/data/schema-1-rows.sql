-- Rows for a database of schema version 1 (schema-1.sql): every table, every word of every CHECK,
-- as replyd of that version wrote them. tests/migration.rs brings it to today's schema.
INSERT INTO meta VALUES ('created_at', '1700000000000'), ('instance', 'abc'),
    ('smtp:1', '{"retry_at":1700000600000,"reason":"the server is busy","failures":2}');
INSERT INTO leads (id, lead_id, name, email, email_key, country_code, phone, budget_min, budget_max,
        status, last_conversation_date, bounced_at, paused_until, created_at, updated_at) VALUES
    (1, 'L1', 'Ann Lee', 'Ann@Lead.example', 'ann@lead.example', '44', '20', '100000.50', NULL, 'warm', '2023-11-14', NULL, NULL, 1, 2),
    (2, 'L2', 'Bob Roe', 'bob@lead.example', 'bob@lead.example', '', '', NULL, NULL, '', NULL, 1700000100000, NULL, 1, 2),
    (3, 'L3', 'Çağ Ünal', 'cag@lead.example', 'cag@lead.example', '', '', NULL, NULL, '', NULL, NULL, 1700900000000, 1, 2),
    (4, 'L4', '', '', '', '', '', NULL, NULL, '', NULL, NULL, NULL, 1, 2);
INSERT INTO campaigns (id, name, project_name, mode, is_active, created_at, updated_at) VALUES
    (1, 'Spring', 'Lake Homes', 'auto', 1, 1, 1), (2, 'Summer', '', 'draft', 1, 1, 1),
    (3, 'Autumn', '', 'auto-ack', 0, 1, 1), (4, 'Winter', '', 'off', 1, 1, 1);
INSERT INTO campaign_leads (id, campaign_id, lead_id, message_sent, message_sent_at, personalized_message, email_message_id, created_at) VALUES
    (1, 1, 1, 1, 5, 'Dear Ann', 'first@homes.example', 1), (2, 1, 2, 1, 5, '', 'second@homes.example', 1),
    (3, 1, 3, 1, 5, '', '0B7F3C2A-11DE-4A5B-9C3D-1234567890AB@homes.example', 1), (4, 2, 1, 0, NULL, '', '', 1);
INSERT INTO accounts (id, name, first_started_at, state, state_reason, state_since, verified_at, pipelines, lease_owner, lease_until, lease_epoch, credential_hash) VALUES
    (1, 'desk', 1, 'live', '', 2, 3, 'yes', 'host:1', 4, 7, 'h'), (2, 'b', 1, 'degraded', 'slow', 2, NULL, 'no', NULL, 0, 0, ''),
    (3, 'c', 1, 'down', 'not started yet', 2, NULL, 'untried', NULL, 0, 0, ''), (4, 'd', 1, 'needs_sign_in', 'refused', 2, NULL, 'untried', NULL, 0, 0, '');
INSERT INTO mailboxes (id, account_id, name) VALUES (1, 1, 'INBOX'), (2, 1, 'Junk'), (3, 2, 'INBOX');
INSERT INTO mailbox_epochs (id, mailbox_id, uid_validity, floor_uid, cursor_uid, window_from, first_until, first_source, started_at) VALUES
    (1, 1, 11, 1, 100, 0, 1, 'first_run', 1), (2, 1, 12, 1, 5, 0, 5, 'new_epoch', 1);
INSERT INTO sent_messages (id, campaign_lead_id, kind, subject, body, sent_at, known_at) VALUES
    (1, 1, 'campaign', 'Lake Homes', 'Would you like a viewing?', 5, 6), (2, 2, 'campaign', 'Lake Homes', '', 5, 6),
    (3, 3, 'campaign', 'Lake Homes', '', 5, 6), (6, 1, 'optout_confirmation', '', '', 8, 8), (7, 1, 'manual', '', '', 8, 8);
-- The token is in the form of an id that replyd made.
INSERT INTO sent_ids (id_key, sent_id, source) VALUES
    ('first@homes.example', 1, 'import'), ('second@homes.example', 2, 'import'),
    ('0B7F3C2A-11DE-4A5B-9C3D-1234567890AB@homes.example', 3, 'import'),
    ('010f@eu-west-1.amazonses.com', 1, 'provider'), ('other@exchange.example', 1, 'taught');
-- One message for each disposition, the sources in turn; raw mails of several pages.
WITH d (n, word) AS (VALUES (1, 'reply'), (2, 'reply_unverified'), (3, 'human_uncertain'), (4, 'unmatched'),
        (5, 'ignored'), (6, 'opt_out'), (7, 'auto_reply'), (8, 'bounce'), (9, 'receipt'), (10, 'complaint'),
        (11, 'own_mail'), (12, 'internal'), (13, 'unreadable'), (14, 'duplicate'), (15, 'vanished'), (16, 'quarantined')),
    s (n, word) AS (VALUES (0, 'live'), (1, 'catch_up'), (2, 'first_run'), (3, 'check'), (4, 'new_epoch'), (5, 'late_match'))
INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at, size_bytes, source,
        disposition, nature, evidence, message_key, content_digest, duplicate_of, sender_hash, campaign_lead_id,
        matched_sent_id, match_method, match_confidence, sender_verified, from_address, subject, in_reply_to,
        reference_ids, full_text, visible_text, visible_sure, attachments, raw, announced_at, fetch_tries)
    SELECT d.n, 1, 1, 11, d.n, 1700000000000 + d.n, 1700000000100 + d.n, 1234, s.word, d.word, 'human',
        '["In-Reply-To 1: <first@homes.example> hit"]', 'reply' || d.n || '@lead.example', 'd' || d.n,
        iif(d.word = 'duplicate', 1, NULL), 'hash' || d.n, iif(d.word IN ('ignored', 'unmatched', 'own_mail', 'internal',
        'vanished', 'quarantined'), NULL, iif(d.word = 'bounce', 2, 1)), iif(d.n < 4, 1, NULL), iif(d.n < 4, 'in_reply_to', ''),
        iif(d.n < 4, 1.0, 0), d.n = 1, 'ann@lead.example', 'Re: Lake Homes',
        iif(d.n < 4, 'first@homes.example', ''), '', 'Yes please', 'Yes please', 1,
        '[{"name":"plan.pdf","type":"application/pdf","size":3}]', iif(d.n % 2, randomblob(40000), NULL), 9, d.n % 3
    FROM d JOIN s ON s.n = d.n % 6;
-- Refer to our own acknowledgement, by In-Reply-To with another domain, by References of another lead, and not at all.
INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at, size_bytes, source,
        disposition, message_key, content_digest, campaign_lead_id, in_reply_to, reference_ids) VALUES
    (21, 1, 1, 11, 21, 1, 1, 1, 'live', 'reply', 'a@x', 'a', 1, 'R.AAAAAAAAAAAAAAAAAAAAAAAAAA.k1.mmmm@rewritten.example', ''),
    (22, 1, 1, 11, 22, 1, 1, 1, 'live', 'reply', 'b@x', 'b', 1, 'none@x', 'first@homes.example r.aaaaaaaaaaaaaaaaaaaaaaaaaa.k1.mmmm@homes.example'),
    (23, 1, 1, 11, 23, 1, 1, 1, 'live', 'reply', 'c@x', 'c', 2, 'r.aaaaaaaaaaaaaaaaaaaaaaaaaa.k1.mmmm@homes.example', ''),
    (24, 1, 1, 11, 24, 1, 1, 1, 'live', 'reply', 'd@x', 'd', 3, '0b7f3c2a-11de-4a5b-9c3d-1234567890ab@homes.example', ''),
    -- Passing bounces: matched, and no job. The last is the same mail again.
    (25, 1, 1, 11, 25, 1, 1700000300000, 1, 'live', 'bounce', 'e@x', 'e', 3, '', ''),
    (26, 1, 1, 11, 26, 1, 1700000200000, 1, 'live', 'bounce', 'f@x', 'f', 3, '', '');
INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at, size_bytes, source,
        disposition, message_key, content_digest, campaign_lead_id, duplicate_of) VALUES
    (27, 1, 1, 11, 27, 1, 1700000400000, 1, 'live', 'bounce', 'f@x', 'f', 3, 26);
INSERT INTO message_refs VALUES ('r1', 4), ('r2', 5), ('r1', 5);
INSERT INTO refetch VALUES (4, 1, 2, 3);
INSERT INTO reply_jobs (id, message_id, state, old_mail, attempts, next_attempt_at, created_at, intent, confidence, action, reasons, error) VALUES
    (1, 1, 'done', 0, 1, 1, 1, 'goal_reached', 0.9, 'acknowledge', '["a"]', ''), (2, 2, 'pending', 1, 3, 1, 1, '', 0, '', '[]', ''),
    (3, 3, 'failed', 0, 9, 1, 1, '', 0, '', '[]', 'it broke'), (8, 8, 'done', 0, 1, 1, 1, '', 0, 'mark_bounced', '[]', '');
INSERT INTO drafts (job_id, campaign_lead_id, message_id, subject, body, reason, state, created_at) VALUES
    (1, 1, 1, 's', '', 'r', 'open', 1), (2, 1, 2, 's', 'b', 'r', 'approved', 1), (2, 1, 2, 's', 'b', 'r', 'rejected', 1);
WITH k (n, word) AS (VALUES (1, 'acknowledgment'), (2, 'answer'), (3, 'optout_confirmation'), (4, 'sales_notice'),
        (5, 'sales_digest'), (6, 'campaign'), (7, 'manual')),
    s (n, word) AS (VALUES (0, 'queued'), (1, 'sending'), (2, 'sent'), (3, 'deferred'), (4, 'rejected'), (5, 'unknown'), (6, 'cancelled'))
INSERT INTO outbox (id, job_id, account_id, kind, round, campaign_lead_id, automatic, rfc_message_id, envelope_from, envelope_to,
        subject, body, body_digest, raw, state, attempts, next_attempt_at, handed_over_at, smtp_code, smtp_text, provider_id, created_at, finished_at)
    SELECT k.n * 10 + s.n, iif(k.n < 5, 1, NULL), 1, k.word, s.n, iif(k.n IN (4, 5), NULL, iif(k.n = 6, 1 + s.n % 4, 1)), k.n < 4,
        'out' || (k.n * 10 + s.n) || '@homes.example', 'desk@homes.example', 'ann@lead.example', 'Re: Lake Homes', 'Dear Ann',
        'digest', randomblob(20000), s.word, 1, 1, iif(s.n IN (2, 5), 7, NULL), iif(s.n = 2, 250, NULL), 'ok', 'p', 6, iif(s.n IN (2, 4), 8, NULL)
    FROM k CROSS JOIN s
    -- Of campaign mails one a conversation was not refused or withdrawn.
    WHERE k.n <> 6 OR s.n IN (0, 2, 4, 5, 6);
-- The last number that was given is that of a row which is gone.
UPDATE sqlite_sequence SET seq = 500 WHERE name = 'outbox';
INSERT INTO sent_messages (id, campaign_lead_id, kind, subject, body, sent_at, known_at, outbox_ref) VALUES
    (4, 1, 'acknowledgment', 'Re: Lake Homes', 'Thank you', 7, 7, 12), (5, 1, 'answer', '', '', 8, 8, 22);
INSERT INTO sent_ids (id_key, sent_id, source) VALUES ('r.aaaaaaaaaaaaaaaaaaaaaaaaaa.k1.mmmm@homes.example', 4, 'own');
INSERT INTO conversations (campaign_lead_id, sender, message, agent_tool_used, email_message_id, created_at, message_ref, outbox_ref) VALUES
    (1, 'agent', 'Would you like a viewing?', 'message_generation', 'first@homes.example', 5, NULL, NULL),
    (1, 'customer', 'Yes please', '', 'reply1@lead.example', 6, 1, NULL), (1, 'agent', 'Thank you', 'acknowledgment', 'out12@homes.example', 7, NULL, 12),
    (1, 'human', 'Call me', '', '', 8, NULL, NULL);
INSERT INTO suppressions VALUES ('gone@lead.example', 'unsubscribe', 6, 1), ('angry@lead.example', 'complaint', NULL, 2);
INSERT INTO digest_items (message_id, reason, created_at, outbox_ref) VALUES (1, 'old mail', 1, 52), (2, 'old mail', 1, NULL);
INSERT INTO outbox_attempts (outbox_id, started_at, ended_at, outcome, smtp_code, smtp_text) VALUES (12, 1, 2, 'sent', 250, 'ok'), (13, 1, 2, 'deferred', 451, 'later');
