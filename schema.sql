-- replyd's store, current schema. A new database is created from this file as it stands;
-- an older one is brought here by src/store/migrate.rs (PRAGMA user_version counts the steps),
-- and a test compares the two. Times are integer milliseconds UTC (`_at`, `_until`, `_date`).
-- Booleans are 0 or 1. Enumerations are the words of src/model.rs.

-- Facts about this database: 'created_at', 'instance', …
CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- ------------------------------------------------------------------ people and campaigns
-- Column names of leads, campaigns, campaign_leads and conversations are the predecessor's.
CREATE TABLE leads (
    id                        INTEGER PRIMARY KEY AUTOINCREMENT,
    lead_id                   TEXT NOT NULL UNIQUE,           -- the operator's own key
    name                      TEXT NOT NULL DEFAULT '',
    email                     TEXT NOT NULL DEFAULT '',       -- as imported
    email_key                 TEXT NOT NULL DEFAULT '',       -- model::address_key(email), '' = none
    country_code              TEXT NOT NULL DEFAULT '',
    phone                     TEXT NOT NULL DEFAULT '',
    project_name              TEXT NOT NULL DEFAULT '',
    unit_type                 TEXT NOT NULL DEFAULT '',
    budget_min                TEXT,                           -- decimal text, as exact as it came
    budget_max                TEXT,
    status                    TEXT NOT NULL DEFAULT '',
    last_conversation_date    TEXT,                           -- YYYY-MM-DD
    last_conversation_summary TEXT NOT NULL DEFAULT '',
    bounced_at                INTEGER,                        -- last permanent bounce: the address is dead
    soft_bounces              INTEGER NOT NULL DEFAULT 0,     -- passing ones: a full mailbox, a delay
    soft_bounced_at           INTEGER,
    paused_until              INTEGER,                        -- away, asked for later, said no: no campaign mail before
    pause_reason              TEXT NOT NULL DEFAULT '',       -- 'away', 'asked for later', 'said no'; '' = never
    created_at                INTEGER NOT NULL,
    updated_at                INTEGER NOT NULL
) STRICT;
CREATE INDEX leads_paused ON leads (paused_until) WHERE paused_until IS NOT NULL;
CREATE INDEX leads_bounced ON leads (bounced_at) WHERE bounced_at IS NOT NULL;
CREATE INDEX leads_by_email ON leads (email_key) WHERE email_key <> '';

CREATE TABLE campaigns (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE,
    project_name  TEXT NOT NULL DEFAULT '',
    channel       TEXT NOT NULL DEFAULT 'email',
    offer_details TEXT NOT NULL DEFAULT '',
    sender_name   TEXT NOT NULL DEFAULT '',     -- who signs the mails; '' = the campaign's name
    mode          TEXT NOT NULL DEFAULT 'auto' CHECK (mode IN ('off', 'draft', 'auto-ack', 'auto')),
    is_active     INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_by    TEXT NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    goal_threshold     REAL,                    -- these five: NULL = as the settings say
    question_threshold REAL,
    margin             REAL,
    working_hours      TEXT,                    -- 'none' = at any time
    zone               TEXT,
    owner_id           INTEGER                  -- the user of the predecessor whose it is; NULL = nobody's
) STRICT;
CREATE INDEX campaigns_by_owner ON campaigns (owner_id) WHERE owner_id IS NOT NULL;

CREATE TABLE campaign_leads (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_id          INTEGER NOT NULL REFERENCES campaigns (id),
    lead_id              INTEGER NOT NULL REFERENCES leads (id),
    message_sent         INTEGER NOT NULL DEFAULT 0 CHECK (message_sent IN (0, 1)),
    message_sent_at      INTEGER,
    personalized_message TEXT NOT NULL DEFAULT '',
    email_message_id     TEXT NOT NULL DEFAULT '',            -- of the newest mail, without brackets
    created_at           INTEGER NOT NULL,
    UNIQUE (campaign_id, lead_id)
) STRICT;
CREATE INDEX campaign_leads_by_lead ON campaign_leads (lead_id);
CREATE INDEX campaign_leads_by_campaign ON campaign_leads (campaign_id, id, message_sent);   -- in the order of their ids

-- What people read: each mail of a thread, both ways.
CREATE TABLE conversations (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_lead_id     INTEGER NOT NULL REFERENCES campaign_leads (id),
    sender               TEXT NOT NULL CHECK (sender IN ('customer', 'agent', 'human')),
    message              TEXT NOT NULL,
    agent_tool_used      TEXT NOT NULL DEFAULT '',            -- acknowledgment, document_rag, message_generation, …
    email_message_id     TEXT NOT NULL DEFAULT '',
    email_in_reply_to    TEXT NOT NULL DEFAULT '',
    sales_team_notified  INTEGER NOT NULL DEFAULT 0 CHECK (sales_team_notified IN (0, 1)),
    auto_reply_processed INTEGER NOT NULL DEFAULT 0 CHECK (auto_reply_processed IN (0, 1)),
    created_at           INTEGER NOT NULL,
    message_ref          INTEGER REFERENCES messages (id),    -- the captured mail, sender 'customer' or 'human'
    outbox_ref           INTEGER REFERENCES outbox (id)       -- our mail, sender 'agent'
) STRICT;
CREATE INDEX conversations_by_campaign_lead ON conversations (campaign_lead_id, created_at, id, sender);
CREATE INDEX conversations_notified ON conversations (campaign_lead_id) WHERE sales_team_notified = 1;
CREATE UNIQUE INDEX conversations_by_message ON conversations (message_ref) WHERE message_ref IS NOT NULL;
CREATE UNIQUE INDEX conversations_by_outbox ON conversations (outbox_ref) WHERE outbox_ref IS NOT NULL;
CREATE INDEX conversations_by_time ON conversations (created_at, id);
CREATE INDEX conversations_pending ON conversations (auto_reply_processed, sender);

-- How a campaign's own mails are made and sent. No row: another program sends them.
CREATE TABLE campaign_mailings (
    campaign_id   INTEGER PRIMARY KEY NOT NULL REFERENCES campaigns (id),
    account       TEXT NOT NULL,                              -- its name in the settings
    subject       TEXT NOT NULL,                              -- a template, as the two below
    text_template TEXT NOT NULL,
    html_template TEXT NOT NULL DEFAULT '',                   -- '' = plain text only
    paused_at     INTEGER,                                    -- its queued mails wait
    paused_by     TEXT NOT NULL DEFAULT '',
    pause_reason  TEXT NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- How fast an account sends campaign mails: the settings' limits as of the last start of a
-- process that sends, and where it stands.
CREATE TABLE campaign_pace (
    account_id    INTEGER PRIMARY KEY NOT NULL REFERENCES accounts (id),
    gap_ms        INTEGER NOT NULL,                           -- least time between two
    per_day       INTEGER NOT NULL,                           -- mails of all kinds in 24 hours
    next_at       INTEGER NOT NULL DEFAULT 0,                 -- none before
    stopped_until INTEGER NOT NULL DEFAULT 0,                 -- the server said: too many
    stop_reason   TEXT NOT NULL DEFAULT '',
    stops         INTEGER NOT NULL DEFAULT 0                  -- in a row: the n of the backoff
) STRICT;

-- What people switched off: automatic mails of the scope wait while the row is there. Read in
-- the transaction that claims a mail, so it holds from its commit on.
CREATE TABLE automation_off (
    scope     TEXT NOT NULL CHECK (scope IN ('all', 'campaign', 'lead')),
    target_id INTEGER NOT NULL DEFAULT 0,                     -- campaigns.id or leads.id; all: 0
    off_at    INTEGER NOT NULL,
    off_by    TEXT NOT NULL DEFAULT '',
    reason    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (scope, target_id)
) STRICT, WITHOUT ROWID;

-- Addresses that get no mail from any campaign.
CREATE TABLE suppressions (
    email_key   TEXT PRIMARY KEY NOT NULL,
    reason      TEXT NOT NULL,                                -- unsubscribe, complaint, …
    message_ref INTEGER REFERENCES messages (id),
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX suppressions_by_time ON suppressions (created_at);

-- ------------------------------------------------------------------ mails sent to leads
CREATE TABLE sent_messages (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_lead_id INTEGER NOT NULL REFERENCES campaign_leads (id),
    kind             TEXT NOT NULL CHECK (kind IN ('campaign', 'acknowledgment', 'answer', 'optout_confirmation', 'manual')),
    subject          TEXT NOT NULL DEFAULT '',
    body             TEXT NOT NULL DEFAULT '',
    sent_at          INTEGER NOT NULL,
    known_at         INTEGER NOT NULL,                        -- when this database learned of it
    outbox_ref       INTEGER REFERENCES outbox (id)
) STRICT;
CREATE INDEX sent_messages_by_campaign_lead ON sent_messages (campaign_lead_id, sent_at);
CREATE UNIQUE INDEX sent_messages_by_outbox ON sent_messages (outbox_ref) WHERE outbox_ref IS NOT NULL;

-- Every Message-ID by which a mail to a lead may be referred to. Ids of sales notices are
-- never here: they stand in `outbox` alone, so they cannot be keys for leads.
CREATE TABLE sent_ids (
    id_key  TEXT PRIMARY KEY NOT NULL,                        -- canonical, without brackets
    sent_id INTEGER NOT NULL REFERENCES sent_messages (id),
    local_key TEXT NOT NULL DEFAULT '',                       -- our token or a UUID in it, '' = none
    source  TEXT NOT NULL CHECK (source IN ('own', 'import', 'provider', 'taught', 'sent_folder'))
) STRICT, WITHOUT ROWID;
CREATE INDEX sent_ids_by_sent ON sent_ids (sent_id);
CREATE INDEX sent_ids_by_local_key ON sent_ids (local_key) WHERE local_key <> '';

-- Further addresses of a lead: a person attached mail from there.
CREATE TABLE lead_addresses (
    address_key TEXT NOT NULL,
    lead_id     INTEGER NOT NULL REFERENCES leads (id),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (address_key, lead_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lead_addresses_by_lead ON lead_addresses (lead_id);

-- ------------------------------------------------------------------ mailboxes
CREATE TABLE accounts (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    name                TEXT NOT NULL UNIQUE,
    first_started_at    INTEGER NOT NULL,                     -- older replies are never answered automatically
    state               TEXT NOT NULL DEFAULT 'down' CHECK (state IN ('live', 'degraded', 'down', 'needs_sign_in')),
    state_reason        TEXT NOT NULL DEFAULT 'not started yet',
    state_since         INTEGER NOT NULL,
    state_fault         TEXT NOT NULL DEFAULT '',             -- code of the fault behind the reason, '' = none
    looked_at           INTEGER,                              -- last look at all mailboxes that ended well
    verified_at         INTEGER,                              -- last tagged OK from a selected mailbox
    failures            INTEGER NOT NULL DEFAULT 0,           -- connections lost in a row: the n of the backoff
    auth_refusals       INTEGER NOT NULL DEFAULT 0,           -- in a row; three: hourly
    next_attempt_at     INTEGER NOT NULL DEFAULT 0,           -- no connection before
    login_tokens_ms     INTEGER NOT NULL DEFAULT 120000,      -- token bucket of logins: 60000 ms buys one
    login_refilled_at   INTEGER NOT NULL DEFAULT 0,
    credential_hash     TEXT NOT NULL DEFAULT '',             -- keyed; another sign-in is tried at once
    pipelines           TEXT NOT NULL DEFAULT 'untried' CHECK (pipelines IN ('untried', 'yes', 'no')),
    lease_owner         TEXT,                                 -- the process that reads this account now
    lease_until         INTEGER NOT NULL DEFAULT 0,
    lease_epoch         INTEGER NOT NULL DEFAULT 0            -- grows with each change of owner
) STRICT;

-- Tokens of accounts that signed in by `replyd auth login`. `sealed` holds access and refresh token,
-- encrypted with a key that is not in this database: both are always replaced together. A refresh
-- is booked before it is asked for; who finds it booked follows one that never got its answer.
CREATE TABLE oauth_tokens (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    account         TEXT NOT NULL UNIQUE,                     -- its name in the settings
    sealed          BLOB NOT NULL,                            -- nonce, then XChaCha20-Poly1305
    version         INTEGER NOT NULL DEFAULT 1,               -- grows with each change of sealed: guards updates
    client_id       TEXT NOT NULL,                            -- whose tokens they are
    token_url       TEXT NOT NULL,                            -- and of which server
    state           TEXT NOT NULL DEFAULT 'good' CHECK (state IN ('good', 'needs_sign_in', 'client_refused')),
    error           TEXT NOT NULL DEFAULT '',                 -- why the last refresh failed; '' = it did not
    error_at        INTEGER,
    obtained_at     INTEGER NOT NULL,                         -- the last login of a person
    refreshed_at    INTEGER NOT NULL,                         -- when the access token was got
    expires_at      INTEGER NOT NULL,                         -- when it ends
    forced_at       INTEGER NOT NULL DEFAULT 0,               -- last refresh because a mail server refused it
    booked_at       INTEGER,                                  -- a refresh that has no answer yet
    failures        INTEGER NOT NULL DEFAULT 0,               -- refreshes failed in a row
    next_attempt_at INTEGER NOT NULL DEFAULT 0,               -- no refresh before…
    client_hash     TEXT NOT NULL DEFAULT ''                  -- …unless the client in the settings was mended; keyed
) STRICT;

CREATE TABLE mailboxes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name       TEXT NOT NULL,                                 -- UTF-8, as configured or as the server lists it
    role       TEXT NOT NULL DEFAULT 'watched' CHECK (role IN ('watched', 'junk', 'sent', 'none')),
    looked_at  INTEGER,                                       -- of the Sent folder: when it was last read to its end
    trouble    TEXT NOT NULL DEFAULT '',                      -- why it cannot be read now; '' = it can
    failures   INTEGER NOT NULL DEFAULT 0,                    -- sessions in a row that ended because of it
    rest_until INTEGER NOT NULL DEFAULT 0,                    -- not looked at before, so that it holds up no other
    UNIQUE (account_id, name)
) STRICT;

-- What was learned about an account's folders, kept so that not every session asks anew.
CREATE TABLE account_folders (
    account_id      INTEGER PRIMARY KEY REFERENCES accounts (id),
    asked           TEXT NOT NULL DEFAULT '',                 -- the settings that the search answered
    found_at        INTEGER NOT NULL DEFAULT 0,               -- when the server was last asked which folders it has
    files_sent      TEXT NOT NULL DEFAULT 'untried' CHECK (files_sent IN ('untried', 'yes', 'no')),
    files_sent_host TEXT NOT NULL DEFAULT ''                  -- the SMTP server of which that was learned
) STRICT;

-- One row a UIDVALIDITY: every UID in floor_uid <= uid < cursor_uid whose INTERNALDATE is not
-- before window_from has a row in messages (invariant I1). Floor and window only widen.
CREATE TABLE mailbox_epochs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox_id   INTEGER NOT NULL REFERENCES mailboxes (id),
    uid_validity INTEGER NOT NULL,
    floor_uid    INTEGER NOT NULL,
    cursor_uid   INTEGER NOT NULL,                            -- the next UID to look at
    window_from  INTEGER NOT NULL,
    first_until  INTEGER NOT NULL,                            -- UIDs below were there at the first look
    first_source TEXT NOT NULL CHECK (first_source IN ('first_run', 'new_epoch')),
    started_at   INTEGER NOT NULL,
    UNIQUE (mailbox_id, uid_validity)
) STRICT;

-- One row a captured message (a UID). What concerns nobody (`ignored`) keeps UID, dates, the
-- key, the digest and keyed hashes only: no address, no subject, no text.
CREATE TABLE messages (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id       INTEGER NOT NULL REFERENCES accounts (id),
    mailbox_id       INTEGER NOT NULL REFERENCES mailboxes (id),
    uid_validity     INTEGER NOT NULL,
    uid              INTEGER NOT NULL,
    internal_date    INTEGER NOT NULL,                        -- the server's INTERNALDATE
    stored_at        INTEGER NOT NULL,
    size_bytes       INTEGER NOT NULL,                        -- RFC822.SIZE
    skipped_bytes    INTEGER NOT NULL DEFAULT 0,              -- not fetched
    source           TEXT NOT NULL CHECK (source IN ('live', 'catch_up', 'first_run', 'check', 'new_epoch', 'late_match')),
    disposition      TEXT NOT NULL CHECK (disposition IN ('reply', 'reply_unverified', 'human_uncertain',
                         'unmatched', 'ignored', 'opt_out', 'auto_reply', 'bounce', 'receipt', 'complaint',
                         'own_mail', 'internal', 'unreadable', 'duplicate', 'vanished', 'quarantined')),
    nature           TEXT NOT NULL DEFAULT '',
    evidence         TEXT NOT NULL DEFAULT '[]',              -- JSON: what decided nature and disposition
    message_key      TEXT NOT NULL,                           -- canonical Message-ID, or 'digest:' + header digest
    content_digest   TEXT NOT NULL,                           -- keyed, of From, Date, Subject and decoded text
    duplicate_of     INTEGER REFERENCES messages (id),
    duplicate_id     INTEGER NOT NULL DEFAULT 0 CHECK (duplicate_id IN (0, 1)), -- same Message-ID, other content
    sender_hash      TEXT NOT NULL DEFAULT '',                -- keyed hash of the sender's address key
    campaign_lead_id INTEGER REFERENCES campaign_leads (id),
    matched_sent_id  INTEGER REFERENCES sent_messages (id),
    match_method     TEXT NOT NULL DEFAULT '',
    match_confidence REAL NOT NULL DEFAULT 0,
    sender_verified  INTEGER NOT NULL DEFAULT 0 CHECK (sender_verified IN (0, 1)),
    carries_token    INTEGER NOT NULL DEFAULT 0 CHECK (carries_token IN (0, 1)), -- a signed token of a mail to this lead
    from_address     TEXT NOT NULL DEFAULT '',
    from_name        TEXT NOT NULL DEFAULT '',
    to_addresses     TEXT NOT NULL DEFAULT '',
    subject          TEXT NOT NULL DEFAULT '',
    sent_date        INTEGER,                                 -- the Date header: a claim, shown, never used to order
    in_reply_to      TEXT NOT NULL DEFAULT '',
    reference_ids    TEXT NOT NULL DEFAULT '',                -- canonical, blank between them
    full_text        TEXT NOT NULL DEFAULT '',
    visible_text     TEXT NOT NULL DEFAULT '',
    visible_sure     INTEGER NOT NULL DEFAULT 0 CHECK (visible_sure IN (0, 1)),
    visible_quoted   INTEGER NOT NULL DEFAULT 0 CHECK (visible_quoted IN (0, 1)), -- nothing in it is new: all is shown, none of it is the sender's word
    attachments      TEXT NOT NULL DEFAULT '[]',              -- JSON
    malformed        TEXT NOT NULL DEFAULT '[]',              -- JSON: what was odd about it
    complained_of    TEXT NOT NULL DEFAULT '',                -- of an abuse report: address keys, blank between
    from_spam        INTEGER NOT NULL DEFAULT 0 CHECK (from_spam IN (0, 1)), -- it was captured in the spam folder
    sender_auth      TEXT NOT NULL DEFAULT 'unknown' CHECK (sender_auth IN ('pass', 'fail', 'unknown')), -- by our own server's Authentication-Results
    raw              BLOB,                                    -- zstd; NULL = not kept or expired
    announced_at     INTEGER,                                 -- EXISTS seen (live), for the latency ledger
    fetched_at       INTEGER,
    fetch_tries      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (mailbox_id, uid_validity, uid)
) STRICT;
-- One row a mail: the same in another folder, or again after a new UIDVALIDITY, is 'duplicate'.
CREATE UNIQUE INDEX messages_by_identity ON messages (account_id, message_key, content_digest)
    WHERE duplicate_of IS NULL AND disposition NOT IN ('vanished', 'quarantined');
CREATE INDEX messages_by_key ON messages (account_id, message_key);
CREATE INDEX messages_by_sender ON messages (sender_hash) WHERE sender_hash <> '';
CREATE INDEX messages_by_campaign_lead ON messages (campaign_lead_id, id) WHERE campaign_lead_id IS NOT NULL;
CREATE INDEX messages_raw_expiry ON messages (stored_at) WHERE raw IS NOT NULL;
CREATE INDEX messages_from_spam ON messages (disposition) WHERE from_spam = 1;
CREATE INDEX messages_by_disposition ON messages (disposition);   -- for counts: the table itself holds raw mails

-- Keyed hashes of the ids that a message without a lead refers to: a later import finds it here.
CREATE TABLE message_refs (
    ref_hash   TEXT NOT NULL,
    message_id INTEGER NOT NULL REFERENCES messages (id),
    PRIMARY KEY (ref_hash, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_refs_by_message ON message_refs (message_id);

-- Messages that an import made matchable: the account's listener fetches them again by UID.
CREATE TABLE refetch (
    message_id   INTEGER PRIMARY KEY REFERENCES messages (id),
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    tries        INTEGER NOT NULL DEFAULT 0,
    requested_at INTEGER NOT NULL
) STRICT;
CREATE INDEX refetch_by_account ON refetch (account_id);

-- ------------------------------------------------------------------ answering
-- One job for each captured reply. An attempt is booked (attempts + 1, next_attempt_at in the
-- future) before it is made: the booking is the lease.
CREATE TABLE reply_jobs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id      INTEGER NOT NULL UNIQUE REFERENCES messages (id),
    state           TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    old_mail        INTEGER NOT NULL DEFAULT 0 CHECK (old_mail IN (0, 1)), -- never answered automatically
    attempts        INTEGER NOT NULL DEFAULT 0,               -- only grows: the number names a booking
    tries_from      INTEGER NOT NULL DEFAULT 0,               -- attempts when it was last begun anew: the rest are tries
    next_attempt_at INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    done_at         INTEGER,
    intent          TEXT NOT NULL DEFAULT '',
    confidence      REAL NOT NULL DEFAULT 0,
    goal_type       TEXT NOT NULL DEFAULT '',
    action          TEXT NOT NULL DEFAULT '',
    reasons         TEXT NOT NULL DEFAULT '[]',               -- JSON
    error           TEXT NOT NULL DEFAULT '',
    flagged         INTEGER NOT NULL DEFAULT 0 CHECK (flagged IN (0, 1)), -- the same text twice: shown while its draft is open
    contact         TEXT NOT NULL DEFAULT ''                  -- JSON: whom a referral names; never written to automatically
) STRICT;
CREATE INDEX reply_jobs_due ON reply_jobs (next_attempt_at) WHERE state = 'pending';
CREATE INDEX reply_jobs_failed ON reply_jobs (id) WHERE state = 'failed';

-- Who read a reply, beside the decision in reply_jobs.
CREATE TABLE readings (
    job_id        INTEGER PRIMARY KEY NOT NULL REFERENCES reply_jobs (id),
    provider      TEXT NOT NULL,                              -- own, or own and endpoint
    model_version TEXT NOT NULL,                              -- of the weights, and the endpoint's model
    opinion       TEXT NOT NULL DEFAULT '',                   -- what the endpoint said, or why it was not asked
    wording       TEXT NOT NULL DEFAULT ''                    -- who worded the answer, or why not
) STRICT;

-- Answers that wait for a person, and what became of them.
CREATE TABLE drafts (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id           INTEGER NOT NULL REFERENCES reply_jobs (id),
    campaign_lead_id INTEGER NOT NULL REFERENCES campaign_leads (id),
    message_id       INTEGER NOT NULL REFERENCES messages (id),
    subject          TEXT NOT NULL,                           -- this and the text: as they would be sent
    body             TEXT NOT NULL,
    reason           TEXT NOT NULL,                           -- why it was not sent by itself
    tool             TEXT NOT NULL DEFAULT 'unknown',         -- how the text was made: agent_tool_used of its mail
    wants_text       INTEGER NOT NULL DEFAULT 0 CHECK (wants_text IN (0, 1)), -- a person has to write in it first
    state            TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'superseded')),
    version          INTEGER NOT NULL DEFAULT 1,              -- grows with each change of the text
    made_subject     TEXT,                                    -- as it was before a person's first edit; NULL = not edited
    made_body        TEXT,
    edited_at        INTEGER,
    edited_by        TEXT NOT NULL DEFAULT '',
    decided_at       INTEGER,                                 -- not open since
    decided_by       TEXT NOT NULL DEFAULT '',                -- who; '' = the course of events
    decision         TEXT NOT NULL DEFAULT '',                -- why
    outbox_ref       INTEGER REFERENCES outbox (id),          -- the mail that it became
    created_at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX drafts_one_open ON drafts (job_id) WHERE state = 'open';
CREATE INDEX drafts_by_job ON drafts (job_id);
CREATE INDEX drafts_by_thread ON drafts (campaign_lead_id);
CREATE UNIQUE INDEX drafts_by_outbox ON drafts (outbox_ref) WHERE outbox_ref IS NOT NULL;

-- What the lead wants by a person's word: shown, and trained on.
CREATE TABLE corrections (
    message_id     INTEGER PRIMARY KEY NOT NULL REFERENCES messages (id),
    intent         TEXT NOT NULL,
    goal_type      TEXT NOT NULL DEFAULT '',
    was_intent     TEXT NOT NULL DEFAULT '',                  -- what was read; '' = nothing was
    was_goal_type  TEXT NOT NULL DEFAULT '',
    was_confidence REAL NOT NULL DEFAULT 0,
    made_at        INTEGER NOT NULL,
    made_by        TEXT NOT NULL DEFAULT ''
) STRICT;

-- ------------------------------------------------------------------ documents to answer from
-- The folder with a campaign's documents. No row: questions of its leads go to people.
CREATE TABLE campaign_documents (
    campaign_id INTEGER PRIMARY KEY NOT NULL REFERENCES campaigns (id),
    folder      TEXT NOT NULL,                                -- absolute
    trouble     TEXT NOT NULL DEFAULT '',                     -- why it cannot be read; '' = it can
    synonyms    TEXT NOT NULL DEFAULT '',                     -- of its synonyms.txt
    synonyms_at INTEGER NOT NULL DEFAULT 0,                   -- that file's time of change, in nanoseconds; 0 = none
    looked_at   INTEGER,                                      -- the last look that found something new
    created_at  INTEGER NOT NULL
) STRICT;

-- The files of that folder as they were indexed last.
CREATE TABLE documents (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_id INTEGER NOT NULL REFERENCES campaigns (id),
    file        TEXT NOT NULL,                                -- path inside the folder
    mtime_ns    INTEGER NOT NULL,
    size_bytes  INTEGER NOT NULL,
    hash        TEXT NOT NULL DEFAULT '',                     -- SHA-256 of its bytes, and the form of the words in doc_fts
    language    TEXT NOT NULL DEFAULT '',                     -- ISO 639-1; '' = not known
    trouble     TEXT NOT NULL DEFAULT '',                     -- why it could not be read now: its pieces are those of before
    notes       TEXT NOT NULL DEFAULT '[]',                   -- JSON: what a person should mend
    indexed_at  INTEGER NOT NULL,
    UNIQUE (campaign_id, file)
) STRICT;

-- Their pieces: what stands under one heading, or a question with its answer.
CREATE TABLE doc_chunks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents (id),
    campaign_id INTEGER NOT NULL REFERENCES campaigns (id),
    kind        TEXT NOT NULL CHECK (kind IN ('text', 'faq')),
    heading     TEXT NOT NULL,
    aliases     TEXT NOT NULL DEFAULT '',                     -- found by, never quoted
    line        INTEGER NOT NULL,
    body        TEXT NOT NULL,
    hash        TEXT NOT NULL                                 -- SHA-256 of heading and body
) STRICT;
CREATE INDEX doc_chunks_by_document ON doc_chunks (document_id);
CREATE INDEX doc_chunks_by_campaign ON doc_chunks (campaign_id);

-- The words of the pieces without their inflections (src/answers/words.rs); rowid = doc_chunks.id.
CREATE VIRTUAL TABLE doc_fts USING fts5 (title, body, aliases, tokenize = 'unicode61');

-- What an answer or a draft quotes, and what came near: the words as they were then.
CREATE TABLE answer_sources (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id   INTEGER NOT NULL REFERENCES reply_jobs (id),
    part     INTEGER NOT NULL,                                -- which of the mail's questions, from 1
    question TEXT NOT NULL,
    used     INTEGER NOT NULL CHECK (used IN (0, 1)),         -- quoted; 0 = only near
    file     TEXT NOT NULL,
    heading  TEXT NOT NULL,
    line     INTEGER NOT NULL,
    hash     TEXT NOT NULL,
    quote    TEXT NOT NULL,
    score    REAL NOT NULL
) STRICT;
CREATE INDEX answer_sources_by_job ON answer_sources (job_id);

-- What sales are told in one digest instead of one notice each.
CREATE TABLE digest_items (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id INTEGER NOT NULL REFERENCES messages (id),
    reason     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    outbox_ref INTEGER REFERENCES outbox (id),                -- the digest that told it
    UNIQUE (message_id, reason)
) STRICT;
CREATE INDEX digest_items_open ON digest_items (message_id) WHERE outbox_ref IS NULL;
CREATE INDEX digest_items_by_outbox ON digest_items (outbox_ref) WHERE outbox_ref IS NOT NULL;

-- Each mail that leaves has its row and its Message-ID first (invariant I3).
-- queued -> sending (attempt booked) -> sent | deferred | rejected | unknown | cancelled.
-- A crash in `sending`: handed_over_at unset = due again; set = unknown, a person decides.
CREATE TABLE outbox (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id           INTEGER REFERENCES reply_jobs (id),
    account_id       INTEGER NOT NULL REFERENCES accounts (id), -- through whose SMTP server it leaves
    kind             TEXT NOT NULL CHECK (kind IN ('acknowledgment', 'answer', 'optout_confirmation',
                         'sales_notice', 'sales_digest', 'campaign', 'manual', 'alert')),
    round            INTEGER NOT NULL DEFAULT 0,              -- grows only with `process --force --resend`
    campaign_lead_id INTEGER REFERENCES campaign_leads (id),
    campaign_id      INTEGER REFERENCES campaigns (id),       -- of a campaign mail
    automatic        INTEGER NOT NULL CHECK (automatic IN (0, 1)), -- counts for the brakes
    rfc_message_id   TEXT NOT NULL UNIQUE,                    -- canonical, without brackets
    envelope_from    TEXT NOT NULL,
    envelope_to      TEXT NOT NULL,                           -- one address a row
    subject          TEXT NOT NULL,
    body             TEXT NOT NULL,                           -- the text, for people and for the brakes
    body_digest      TEXT NOT NULL,                           -- equal text twice stops
    raw              BLOB NOT NULL,                           -- the whole RFC 5322 message
    state            TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'deferred',
                         'rejected', 'unknown', 'cancelled')),
    held             INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)), -- queued, but automation is off for it
    attempts         INTEGER NOT NULL DEFAULT 0,
    next_attempt_at  INTEGER NOT NULL,
    handed_over_at   INTEGER,                                 -- set just before the body goes out
    smtp_code        INTEGER,
    smtp_text        TEXT NOT NULL DEFAULT '',
    provider_id      TEXT NOT NULL DEFAULT '',
    created_at       INTEGER NOT NULL,
    finished_at      INTEGER,
    filed            TEXT NOT NULL DEFAULT '' CHECK (filed IN ('', 'seen', 'appended', 'given_up')), -- its copy in the Sent folder
    filed_at         INTEGER,
    copies           INTEGER NOT NULL DEFAULT 0,              -- how many were seen there
    file_tries       INTEGER NOT NULL DEFAULT 0,              -- booked before each attempt to append the copy
    not_before       INTEGER NOT NULL DEFAULT 0,              -- it waits on purpose: delay, working hours; 0 = it does not
    to_domain        TEXT NOT NULL DEFAULT '',                -- the lead's domain, of an automatic mail
    to_suppressed    INTEGER NOT NULL DEFAULT 0 CHECK (to_suppressed IN (0, 1)), -- a person sends it although the address wants no mail
    UNIQUE (job_id, kind, round)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_attempt_at)
    WHERE state IN ('queued', 'deferred') AND kind <> 'campaign' AND held = 0;
CREATE INDEX outbox_campaign_due ON outbox (campaign_id, next_attempt_at)
    WHERE state IN ('queued', 'deferred') AND kind = 'campaign' AND held = 0;
CREATE INDEX outbox_held ON outbox (next_attempt_at) WHERE held = 1;
CREATE INDEX outbox_sending ON outbox (next_attempt_at) WHERE state = 'sending';
-- A lead gets one mail of a campaign, whoever queues it again; one that did not leave for good
-- does not count.
CREATE UNIQUE INDEX outbox_one_campaign_mail ON outbox (campaign_lead_id)
    WHERE kind = 'campaign' AND state NOT IN ('rejected', 'cancelled');
CREATE INDEX outbox_by_campaign ON outbox (campaign_id, state) WHERE kind = 'campaign';
CREATE INDEX outbox_campaign_mails ON outbox (campaign_lead_id) WHERE kind = 'campaign';
CREATE INDEX outbox_handed_over ON outbox (account_id, handed_over_at) WHERE handed_over_at IS NOT NULL;
CREATE INDEX outbox_open ON outbox (state) WHERE state NOT IN ('sent', 'cancelled');
CREATE INDEX outbox_brakes ON outbox (campaign_lead_id, created_at) WHERE automatic = 1;
CREATE INDEX outbox_by_account ON outbox (account_id, created_at) WHERE automatic = 1;
CREATE INDEX outbox_by_domain ON outbox (to_domain, created_at) WHERE automatic = 1 AND to_domain <> '';
CREATE INDEX outbox_notices ON outbox (created_at) WHERE kind IN ('sales_notice', 'sales_digest');
CREATE INDEX outbox_unfiled ON outbox (account_id, finished_at) WHERE state = 'sent' AND filed = '';
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;

-- Each attempt of a mail and how it ended, for people.
CREATE TABLE outbox_attempts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    outbox_id   INTEGER NOT NULL REFERENCES outbox (id),
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    smtp_code   INTEGER,
    smtp_text   TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_attempts_by_mail ON outbox_attempts (outbox_id);

-- ------------------------------------------------------------------ alerts
-- What the operator is told: one row an incident, open until its end was told.
CREATE TABLE alerts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    topic         TEXT NOT NULL CHECK (topic IN ('hearing', 'sending')),
    state         TEXT NOT NULL CHECK (state IN ('down', 'needs_sign_in')), -- as it was told last
    reason        TEXT NOT NULL,
    began_at      INTEGER NOT NULL,                           -- since when it did not hear or send
    raised_at     INTEGER NOT NULL,                           -- when the operator was told
    after_message INTEGER NOT NULL,                           -- newest row of messages then: later ones were caught up
    well_since    INTEGER,                                    -- well again, not told yet (damping)
    ended_at      INTEGER                                     -- the end was told
) STRICT;
CREATE UNIQUE INDEX alerts_one_open ON alerts (account_id, topic) WHERE ended_at IS NULL;
CREATE INDEX alerts_by_account ON alerts (account_id, raised_at);

-- Each way by which one event of an alert is told. A try is booked (tries + 1, next_try_at in the
-- future) before it is made: the booking is the lease.
CREATE TABLE alert_notes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id    INTEGER NOT NULL REFERENCES alerts (id),
    event       TEXT NOT NULL CHECK (event IN ('raised', 'worse', 'ended')),
    way         TEXT NOT NULL CHECK (way IN ('mail', 'webhook', 'command')),
    state       TEXT NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'failed')),
    told        TEXT NOT NULL,                                -- JSON: what is told
    recipient   TEXT NOT NULL DEFAULT '',                     -- of a mail
    outbox_ref  INTEGER REFERENCES outbox (id),               -- the mail, where it goes by mail
    tries       INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    error       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX alert_notes_due ON alert_notes (next_try_at) WHERE state = 'due';
CREATE INDEX alert_notes_by_alert ON alert_notes (alert_id);

-- ------------------------------------------------------------------ who may look
-- Tokens of people and programs. Of the secret only its SHA-256 is kept: it has 256 random bits,
-- so no salt and no slow hash are needed.
CREATE TABLE api_tokens (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    scope        TEXT NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    campaigns    TEXT,                                        -- JSON list of campaigns.id; NULL = all
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER                                      -- written once a minute at most
) STRICT;
CREATE UNIQUE INDEX api_tokens_one_name ON api_tokens (name) WHERE revoked_at IS NULL;

-- Who is signed in to the page. A session can do what its token can, and ends with it.
CREATE TABLE web_sessions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token_id   INTEGER NOT NULL REFERENCES api_tokens (id),
    hash       BLOB NOT NULL UNIQUE,                          -- SHA-256 of the cookie
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,                              -- written once a minute at most
    expires_at INTEGER NOT NULL                               -- whatever it does
) STRICT;
CREATE INDEX web_sessions_by_token ON web_sessions (token_id);
CREATE INDEX web_sessions_by_end ON web_sessions (expires_at);

-- One-time links for signing in.
CREATE TABLE sign_in_links (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token_id   INTEGER NOT NULL REFERENCES api_tokens (id),
    hash       BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;
CREATE INDEX sign_in_links_by_token ON sign_in_links (token_id);

-- ------------------------------------------------------------------ events
-- What happened, in the order of its commit: ids are given inside BEGIN IMMEDIATE transactions. Noted by
-- triggers, so that whoever writes a fact notes it in the same transaction; new rows of messages and outbox
-- by the one function that writes them, as an INSERT trigger there would make SQLite look for references to
-- each new row. For open pages, /api/events
-- and webhooks; no names, addresses or texts. Kept 30 days.
CREATE TABLE events (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    at               INTEGER NOT NULL,
    kind             TEXT NOT NULL CHECK (kind IN ('new_reply', 'classified', 'queued', 'sent', 'failed', 'draft',
                         'goal_reached', 'opt_out', 'bounce', 'account_state', 'changed')),
    campaign_id      INTEGER,                                 -- these: no references, as rows may go before their events
    campaign_lead_id INTEGER,
    conversation_id  INTEGER,
    draft_id         INTEGER,
    outbox_id        INTEGER,
    account_id       INTEGER,
    data             TEXT NOT NULL DEFAULT '{}'               -- JSON, small
) STRICT;
CREATE INDEX events_by_time ON events (at);

CREATE TRIGGER events_of_conversations AFTER INSERT ON conversations
WHEN NEW.message_ref IS NOT NULL AND NEW.sender IN ('customer', 'human') BEGIN
    INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, account_id, data)
    SELECT m.stored_at, iif(NEW.sender = 'customer', 'new_reply', 'changed'),
           (SELECT campaign_id FROM campaign_leads WHERE id = NEW.campaign_lead_id),
           NEW.campaign_lead_id, NEW.id, m.account_id,
           json_object('message', m.id, 'disposition', m.disposition, 'by', NEW.sender)
    FROM messages m WHERE m.id = NEW.message_ref;
END;

CREATE TRIGGER events_of_decisions AFTER UPDATE OF state ON reply_jobs
WHEN NEW.state <> OLD.state AND NEW.state IN ('done', 'failed') BEGIN
    INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, account_id, data)
    SELECT coalesce(NEW.done_at, NEW.created_at), iif(NEW.state = 'done', 'classified', 'failed'),
           cl.campaign_id, cl.id, (SELECT id FROM conversations WHERE message_ref = m.id), m.account_id,
           json_object('message', m.id, 'intent', NEW.intent, 'goal_type', NEW.goal_type,
                       'confidence', NEW.confidence, 'action', NEW.action)
    FROM messages m LEFT JOIN campaign_leads cl ON cl.id = m.campaign_lead_id WHERE m.id = NEW.message_id;
    INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, account_id, data)
    SELECT coalesce(NEW.done_at, NEW.created_at), 'goal_reached',
           cl.campaign_id, cl.id, (SELECT id FROM conversations WHERE message_ref = m.id), m.account_id,
           json_object('message', m.id, 'intent', NEW.intent, 'goal_type', NEW.goal_type,
                       'confidence', NEW.confidence, 'action', NEW.action)
    FROM messages m JOIN campaign_leads cl ON cl.id = m.campaign_lead_id
    WHERE m.id = NEW.message_id AND NEW.state = 'done' AND NEW.intent = 'goal_reached'
      AND OLD.intent <> 'goal_reached';
END;

-- The lead of a suppressed address: whose mail asked for it, else the newest with this address.
CREATE TRIGGER events_of_suppressions AFTER INSERT ON suppressions BEGIN
    INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, data)
    SELECT NEW.created_at, 'opt_out', (SELECT campaign_id FROM campaign_leads WHERE id = w.lead), w.lead,
           (SELECT id FROM conversations WHERE message_ref = NEW.message_ref),
           json_object('message', NEW.message_ref, 'reason', NEW.reason)
    FROM (SELECT coalesce((SELECT campaign_lead_id FROM messages WHERE id = NEW.message_ref),
                          (SELECT max(cl.id) FROM leads l JOIN campaign_leads cl ON cl.lead_id = l.id
                           WHERE l.email_key = NEW.email_key)) AS lead) w;
END;

CREATE TRIGGER events_of_drafts AFTER INSERT ON drafts BEGIN
    INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, draft_id, data)
    SELECT NEW.created_at, 'draft', campaign_id, id,
           (SELECT id FROM conversations WHERE message_ref = NEW.message_id), NEW.id,
           json_object('message', NEW.message_id, 'state', NEW.state)
    FROM campaign_leads WHERE id = NEW.campaign_lead_id;
END;

CREATE TRIGGER events_of_drafts_decided AFTER UPDATE OF state ON drafts WHEN NEW.state <> OLD.state BEGIN
    INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, draft_id, outbox_id, data)
    SELECT coalesce(NEW.decided_at, NEW.created_at), 'draft', campaign_id, id,
           (SELECT id FROM conversations WHERE message_ref = NEW.message_id), NEW.id, NEW.outbox_ref,
           json_object('message', NEW.message_id, 'state', NEW.state)
    FROM campaign_leads WHERE id = NEW.campaign_lead_id;
END;

CREATE TRIGGER events_of_outcomes AFTER UPDATE OF state ON outbox
WHEN NEW.state <> OLD.state AND (NEW.state IN ('rejected', 'unknown')
 OR (NEW.state IN ('sent', 'cancelled') AND NEW.kind IN ('acknowledgment', 'answer', 'optout_confirmation', 'manual'))
 OR (NEW.state = 'sent' AND NEW.kind = 'campaign')) BEGIN
    INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, draft_id, outbox_id, account_id, data)
    VALUES (coalesce(NEW.finished_at, NEW.handed_over_at, NEW.created_at),
            CASE NEW.state WHEN 'sent' THEN 'sent' WHEN 'cancelled' THEN 'changed' ELSE 'failed' END,
            coalesce(NEW.campaign_id, (SELECT campaign_id FROM campaign_leads WHERE id = NEW.campaign_lead_id)),
            NEW.campaign_lead_id, (SELECT id FROM conversations WHERE outbox_ref = NEW.id),
            (SELECT id FROM drafts WHERE outbox_ref = NEW.id), NEW.id, NEW.account_id,
            json_object('mail', NEW.kind, 'state', NEW.state, 'code', NEW.smtp_code));
END;

CREATE TRIGGER events_of_accounts AFTER UPDATE OF state ON accounts WHEN NEW.state <> OLD.state BEGIN
    INSERT INTO events (at, kind, account_id, data)
    VALUES (NEW.state_since, 'account_state', NEW.id, json_object('account', NEW.name, 'state', NEW.state));
END;

-- ------------------------------------------------------------------ coming from the predecessor
-- The rows that `replyd import django` took in under their own ids, and a digest of what they said: the same
-- again changes nothing, and a row of another origin is never overwritten.
CREATE TABLE django_rows (
    model  TEXT NOT NULL CHECK (model IN ('lead', 'campaign', 'campaignlead', 'conversation')),
    id     INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (model, id)
) STRICT, WITHOUT ROWID;
-- ------------------------------------------------------------------ what the pages list
-- One row a conversation that has a line: what the inbox filters and sorts by. Kept by the
-- triggers below, so that a page reads fifty rows of an index, however many there are.
CREATE TABLE inbox (
    campaign_lead_id INTEGER PRIMARY KEY NOT NULL REFERENCES campaign_leads (id),
    campaign_id   INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,                           -- of its newest line
    last_line     INTEGER NOT NULL,                           -- conversations.id of that
    unanswered    INTEGER NOT NULL CHECK (unanswered IN (0, 1)), -- that is the lead's
    replies       INTEGER NOT NULL,
    last_reply_at INTEGER NOT NULL,                           -- 0 = no reply
    reply_line    INTEGER NOT NULL,                           -- greatest conversations.id of a reply: unread beyond a mark
    goal          INTEGER NOT NULL CHECK (goal IN (0, 1)),    -- a reply reached the goal
    person        INTEGER NOT NULL CHECK (person IN (0, 1)),  -- a reply was left to people, who did not answer yet
    drafts        INTEGER NOT NULL                            -- open ones; 0 while it is snoozed
) STRICT;
CREATE INDEX inbox_by_time ON inbox (last_at, campaign_lead_id);
CREATE INDEX inbox_replies ON inbox (last_reply_at, campaign_lead_id) WHERE replies > 0;
CREATE INDEX inbox_sent_only ON inbox (last_at, campaign_lead_id) WHERE replies = 0;
CREATE INDEX inbox_person ON inbox (last_reply_at, campaign_lead_id) WHERE person + drafts > 0;
CREATE INDEX inbox_drafts ON inbox (last_reply_at, campaign_lead_id) WHERE drafts > 0;
CREATE INDEX inbox_goal ON inbox (last_reply_at, campaign_lead_id) WHERE goal = 1;
CREATE INDEX inbox_unanswered ON inbox (last_reply_at, campaign_lead_id) WHERE unanswered = 1;
CREATE INDEX inbox_of_campaign ON inbox (campaign_id, last_at, campaign_lead_id);
CREATE INDEX inbox_replies_of_campaign ON inbox (campaign_id, last_reply_at, campaign_lead_id) WHERE replies > 0;
CREATE INDEX inbox_by_reply_line ON inbox (reply_line) WHERE replies > 0;

-- A person has dealt with what a conversation held up to a message, for good or until a moment; due: that
-- moment has come, and nobody has answered since.
CREATE TABLE desk_marks (
    campaign_lead_id INTEGER PRIMARY KEY NOT NULL REFERENCES campaign_leads (id),
    message_id       INTEGER NOT NULL,                        -- the newest message then; 0 = none
    snoozed_until    INTEGER,
    is_due           INTEGER NOT NULL CHECK (is_due IN (0, 1)),
    marked_by        TEXT NOT NULL,
    marked_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX desk_marks_snoozed ON desk_marks (snoozed_until) WHERE snoozed_until IS NOT NULL;

-- The same row made anew out of the facts.
CREATE VIEW inbox_anew AS
SELECT cl.id AS campaign_lead_id, cl.campaign_id AS campaign_id, n.created_at AS last_at,
       n.id AS last_line, n.sender = 'customer' AS unanswered,
       (SELECT count(*) FROM conversations v
        WHERE v.campaign_lead_id = cl.id AND v.sender = 'customer') AS replies,
       (SELECT coalesce(max(v.created_at), 0) FROM conversations v
        WHERE v.campaign_lead_id = cl.id AND v.sender = 'customer') AS last_reply_at,
       (SELECT coalesce(max(v.id), 0) FROM conversations v
        WHERE v.campaign_lead_id = cl.id AND v.sender = 'customer') AS reply_line,
       EXISTS (SELECT 1 FROM messages m JOIN reply_jobs j ON j.message_id = m.id
               LEFT JOIN corrections k ON k.message_id = m.id
               WHERE m.campaign_lead_id = cl.id
                 AND coalesce(k.intent, j.intent) = 'goal_reached') AS goal,
       EXISTS (SELECT 1 FROM messages m JOIN reply_jobs j ON j.message_id = m.id
               WHERE m.campaign_lead_id = cl.id
                 AND (j.state = 'failed' OR (j.state = 'done' AND j.action = 'person'))
                 AND m.id > coalesce((SELECT k.message_id FROM desk_marks k
                                      WHERE k.campaign_lead_id = cl.id), 0)
                 AND NOT EXISTS (SELECT 1 FROM conversations v
                     WHERE v.campaign_lead_id = cl.id AND v.sender <> 'customer'
                       AND v.agent_tool_used NOT IN ('message_generation', 'acknowledgment')
                       AND v.created_at > m.internal_date))
       OR EXISTS (SELECT 1 FROM desk_marks k
                  WHERE k.campaign_lead_id = cl.id AND k.is_due = 1) AS person,
       (SELECT count(*) FROM drafts d
        WHERE d.campaign_lead_id = cl.id AND d.state = 'open'
          AND NOT EXISTS (SELECT 1 FROM desk_marks k WHERE k.campaign_lead_id = cl.id
                          AND k.snoozed_until IS NOT NULL)) AS drafts
FROM campaign_leads cl
JOIN conversations n ON n.id = (SELECT v.id FROM conversations v WHERE v.campaign_lead_id = cl.id
                                ORDER BY v.created_at DESC, v.id DESC LIMIT 1);

CREATE TRIGGER inbox_line AFTER INSERT ON conversations BEGIN
    INSERT INTO inbox SELECT NEW.campaign_lead_id, cl.campaign_id, NEW.created_at, NEW.id,
        NEW.sender = 'customer', NEW.sender = 'customer',
        iif(NEW.sender = 'customer', NEW.created_at, 0), iif(NEW.sender = 'customer', NEW.id, 0),
        0, 0, 0
    FROM campaign_leads cl WHERE cl.id = NEW.campaign_lead_id
    ON CONFLICT (campaign_lead_id) DO UPDATE SET
        last_at = max(last_at, excluded.last_at),
        last_line = iif(excluded.last_at >= last_at, excluded.last_line, last_line),
        unanswered = iif(excluded.last_at >= last_at, excluded.unanswered, unanswered),
        replies = replies + excluded.replies,
        last_reply_at = max(last_reply_at, excluded.last_reply_at),
        reply_line = max(reply_line, excluded.reply_line),
        person = iif(NEW.sender <> 'customer' AND excluded.last_at >= last_reply_at
            AND NEW.agent_tool_used NOT IN ('message_generation', 'acknowledgment'), 0, person);
    -- A new reply ends a snooze. Here, not in a trigger of its own: the row made anew counts the line too.
    UPDATE desk_marks SET is_due = 1, snoozed_until = NULL
        WHERE campaign_lead_id = NEW.campaign_lead_id AND snoozed_until IS NOT NULL
          AND NEW.sender = 'customer';
END;
CREATE TRIGGER inbox_marked AFTER INSERT ON desk_marks BEGIN
    DELETE FROM inbox WHERE campaign_lead_id = NEW.campaign_lead_id;
    INSERT INTO inbox SELECT * FROM inbox_anew WHERE campaign_lead_id = NEW.campaign_lead_id;
END;
CREATE TRIGGER inbox_mark_changed AFTER UPDATE ON desk_marks BEGIN
    DELETE FROM inbox WHERE campaign_lead_id = NEW.campaign_lead_id;
    INSERT INTO inbox SELECT * FROM inbox_anew WHERE campaign_lead_id = NEW.campaign_lead_id;
END;
CREATE TRIGGER marks_answered AFTER INSERT ON conversations
    WHEN NEW.sender <> 'customer' AND NEW.agent_tool_used NOT IN ('message_generation', 'acknowledgment')
BEGIN
    UPDATE desk_marks SET is_due = 0, snoozed_until = NULL, marked_by = ''
        WHERE campaign_lead_id = NEW.campaign_lead_id AND (is_due = 1 OR snoozed_until IS NOT NULL);
END;
CREATE TRIGGER inbox_line_changed AFTER UPDATE OF campaign_lead_id, created_at, sender ON conversations BEGIN
    DELETE FROM inbox WHERE campaign_lead_id IN (OLD.campaign_lead_id, NEW.campaign_lead_id);
    INSERT INTO inbox SELECT * FROM inbox_anew
        WHERE campaign_lead_id IN (OLD.campaign_lead_id, NEW.campaign_lead_id);
END;
CREATE TRIGGER inbox_line_gone AFTER DELETE ON conversations BEGIN
    DELETE FROM inbox WHERE campaign_lead_id = OLD.campaign_lead_id;
    INSERT INTO inbox SELECT * FROM inbox_anew WHERE campaign_lead_id = OLD.campaign_lead_id;
END;
CREATE TRIGGER inbox_message AFTER UPDATE OF campaign_lead_id ON messages
    WHEN NEW.campaign_lead_id IS NOT OLD.campaign_lead_id BEGIN
    DELETE FROM inbox WHERE campaign_lead_id IN (OLD.campaign_lead_id, NEW.campaign_lead_id);
    INSERT INTO inbox SELECT * FROM inbox_anew
        WHERE campaign_lead_id IN (OLD.campaign_lead_id, NEW.campaign_lead_id);
END;
CREATE TRIGGER inbox_job AFTER UPDATE OF state, intent, action ON reply_jobs
    WHEN NEW.state IS NOT OLD.state OR NEW.intent <> OLD.intent OR NEW.action <> OLD.action BEGIN
    DELETE FROM inbox WHERE campaign_lead_id =
        (SELECT campaign_lead_id FROM messages WHERE id = NEW.message_id);
    INSERT INTO inbox SELECT * FROM inbox_anew WHERE campaign_lead_id =
        (SELECT campaign_lead_id FROM messages WHERE id = NEW.message_id);
END;
CREATE TRIGGER inbox_draft AFTER INSERT ON drafts BEGIN
    UPDATE inbox SET drafts = (SELECT n.drafts FROM inbox_anew n
                               WHERE n.campaign_lead_id = inbox.campaign_lead_id)
        WHERE campaign_lead_id = NEW.campaign_lead_id;
END;
CREATE TRIGGER inbox_draft_decided AFTER UPDATE OF state, campaign_lead_id ON drafts BEGIN
    UPDATE inbox SET drafts = (SELECT n.drafts FROM inbox_anew n
                               WHERE n.campaign_lead_id = inbox.campaign_lead_id)
        WHERE campaign_lead_id IN (OLD.campaign_lead_id, NEW.campaign_lead_id);
END;
CREATE TRIGGER inbox_draft_gone AFTER DELETE ON drafts BEGIN
    UPDATE inbox SET drafts = (SELECT n.drafts FROM inbox_anew n
                               WHERE n.campaign_lead_id = inbox.campaign_lead_id)
        WHERE campaign_lead_id = OLD.campaign_lead_id;
END;
CREATE TRIGGER inbox_label AFTER INSERT ON corrections BEGIN
    DELETE FROM inbox WHERE campaign_lead_id =
        (SELECT campaign_lead_id FROM messages WHERE id = NEW.message_id);
    INSERT INTO inbox SELECT * FROM inbox_anew WHERE campaign_lead_id =
        (SELECT campaign_lead_id FROM messages WHERE id = NEW.message_id);
END;
CREATE TRIGGER inbox_label_changed AFTER UPDATE ON corrections BEGIN
    DELETE FROM inbox WHERE campaign_lead_id =
        (SELECT campaign_lead_id FROM messages WHERE id = NEW.message_id);
    INSERT INTO inbox SELECT * FROM inbox_anew WHERE campaign_lead_id =
        (SELECT campaign_lead_id FROM messages WHERE id = NEW.message_id);
END;

-- How fast replies were captured: all that is asked of it stands in the index.
CREATE INDEX messages_captured ON messages (stored_at, internal_date, announced_at, campaign_lead_id, source)
    WHERE source = 'live' AND campaign_lead_id IS NOT NULL;

-- Up to which line somebody has read a conversation; campaign_lead_id 0: every conversation.
CREATE TABLE read_marks (
    viewer           TEXT NOT NULL,                           -- name of the token, or user of a JWT
    campaign_lead_id INTEGER NOT NULL,
    line             INTEGER NOT NULL,                        -- conversations.id
    read_at          INTEGER NOT NULL,
    PRIMARY KEY (viewer, campaign_lead_id)
) STRICT, WITHOUT ROWID;

-- Search over the lines of conversations and over leads; the texts stay where they are. What is
-- deleted there is overwritten here.
CREATE VIRTUAL TABLE line_fts USING fts5 (message, content = 'conversations', content_rowid = 'id',
    detail = 'column', tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO line_fts (line_fts, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER line_fts_added AFTER INSERT ON conversations BEGIN
    INSERT INTO line_fts (rowid, message) VALUES (NEW.id, NEW.message);
END;
CREATE TRIGGER line_fts_changed AFTER UPDATE OF message ON conversations BEGIN
    INSERT INTO line_fts (line_fts, rowid, message) VALUES ('delete', OLD.id, OLD.message);
    INSERT INTO line_fts (rowid, message) VALUES (NEW.id, NEW.message);
END;
CREATE TRIGGER line_fts_gone AFTER DELETE ON conversations BEGIN
    INSERT INTO line_fts (line_fts, rowid, message) VALUES ('delete', OLD.id, OLD.message);
END;
CREATE VIRTUAL TABLE lead_fts USING fts5 (name, email, content = 'leads', content_rowid = 'id',
    detail = 'column', tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO lead_fts (lead_fts, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER lead_fts_added AFTER INSERT ON leads BEGIN
    INSERT INTO lead_fts (rowid, name, email) VALUES (NEW.id, NEW.name, NEW.email);
END;
CREATE TRIGGER lead_fts_changed AFTER UPDATE OF name, email ON leads
    WHEN NEW.name <> OLD.name OR NEW.email <> OLD.email BEGIN
    INSERT INTO lead_fts (lead_fts, rowid, name, email)
        VALUES ('delete', OLD.id, OLD.name, OLD.email);
    INSERT INTO lead_fts (rowid, name, email) VALUES (NEW.id, NEW.name, NEW.email);
END;
CREATE TRIGGER lead_fts_gone AFTER DELETE ON leads BEGIN
    INSERT INTO lead_fts (lead_fts, rowid, name, email)
        VALUES ('delete', OLD.id, OLD.name, OLD.email);
END;

-- ------------------------------------------------------------------ webhooks
-- How far each webhook of the settings is in the events. Deliveries are made from them by this cursor, in
-- one transaction.
CREATE TABLE webhooks (
    name     TEXT PRIMARY KEY NOT NULL,
    cursor   INTEGER NOT NULL,                                -- the last event that was looked at
    added_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a webhook is told. An attempt is booked (attempts + 1, next_at in the future) before it is made; the
-- body is put together from the rows as they are then.
CREATE TABLE webhook_deliveries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook    TEXT NOT NULL,
    event_id   INTEGER NOT NULL,
    kind       TEXT NOT NULL,                                 -- as the receiver is told
    state      TEXT NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'failed')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL,
    status     INTEGER,                                       -- of the last answer
    error      TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    UNIQUE (webhook, event_id)
) STRICT;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, next_at) WHERE state = 'due';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook) WHERE state = 'failed';
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at);

-- ------------------------------------------------------------------ erased leads
-- That a lead was erased, and nothing of it but keyed hashes: so that an import does not bring it back, and
-- its addresses get no mail.
CREATE TABLE erasures (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    lead_row   INTEGER NOT NULL,                              -- leads.id, whose row stays, empty
    erased_at  INTEGER NOT NULL,
    erased_by  TEXT NOT NULL DEFAULT '',
    reason     TEXT NOT NULL DEFAULT '',
    counts     TEXT NOT NULL DEFAULT '{}',                    -- JSON: rows that were emptied, by table
    lifted_at  INTEGER                                        -- since then an import may bring it back
) STRICT;
CREATE TABLE erased_hashes (
    hash       TEXT NOT NULL,                                 -- keyed, of an address key or of `lead_id:` and the operator's key
    erasure_id INTEGER NOT NULL REFERENCES erasures (id),
    PRIMARY KEY (hash, erasure_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_hashes_by_erasure ON erased_hashes (erasure_id);

-- ------------------------------------------------------------------ what came and went, by day
-- One row a UTC day and campaign, so that the statistics of a year read a few hundred rows, however many
-- mails there were. Kept by the triggers below.
CREATE TABLE day_counts (
    day            INTEGER NOT NULL,                          -- days since 1970-01-01
    campaign_id    INTEGER NOT NULL,
    replies        INTEGER NOT NULL,
    answers        INTEGER NOT NULL,                          -- mails of ours in conversations that left, campaign mails aside
    automatic      INTEGER NOT NULL,                          -- those of them that nobody wrote or approved
    campaign_mails INTEGER NOT NULL,                          -- that left
    PRIMARY KEY (day, campaign_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER day_of_reply AFTER INSERT ON conversations WHEN NEW.sender = 'customer' BEGIN
    INSERT INTO day_counts SELECT NEW.created_at / 86400000, campaign_id, 1, 0, 0, 0
    FROM campaign_leads WHERE id = NEW.campaign_lead_id
    ON CONFLICT (day, campaign_id) DO UPDATE SET replies = replies + 1;
END;
CREATE TRIGGER day_of_reply_changed AFTER UPDATE OF campaign_lead_id, created_at, sender ON conversations BEGIN
    UPDATE day_counts SET replies = replies - 1
        WHERE OLD.sender = 'customer' AND day = OLD.created_at / 86400000
          AND campaign_id = (SELECT campaign_id FROM campaign_leads WHERE id = OLD.campaign_lead_id);
    INSERT INTO day_counts SELECT NEW.created_at / 86400000, campaign_id, 1, 0, 0, 0
    FROM campaign_leads WHERE id = NEW.campaign_lead_id AND NEW.sender = 'customer'
    ON CONFLICT (day, campaign_id) DO UPDATE SET replies = replies + 1;
END;
CREATE TRIGGER day_of_reply_gone AFTER DELETE ON conversations WHEN OLD.sender = 'customer' BEGIN
    UPDATE day_counts SET replies = replies - 1
        WHERE day = OLD.created_at / 86400000
          AND campaign_id = (SELECT campaign_id FROM campaign_leads WHERE id = OLD.campaign_lead_id);
END;
CREATE TRIGGER day_of_mail AFTER UPDATE OF state ON outbox
WHEN NEW.state = 'sent' AND OLD.state <> 'sent'
 AND NEW.kind IN ('acknowledgment', 'answer', 'optout_confirmation', 'campaign', 'manual') BEGIN
    INSERT INTO day_counts SELECT coalesce(NEW.finished_at, NEW.created_at) / 86400000, campaign_id, 0,
        NEW.kind <> 'campaign', NEW.kind <> 'campaign' AND NEW.automatic = 1, NEW.kind = 'campaign'
    FROM campaign_leads WHERE id = NEW.campaign_lead_id
    ON CONFLICT (day, campaign_id) DO UPDATE SET answers = answers + excluded.answers,
        automatic = automatic + excluded.automatic, campaign_mails = campaign_mails + excluded.campaign_mails;
END;

-- ------------------------------------------------------------------ messages by campaign
-- Which messages stand in conversations of a campaign, so that a viewer who is limited to some gets a page
-- of them without reading those of others. Kept by the triggers below.
CREATE TABLE campaign_messages (
    campaign_id INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,
    disposition TEXT NOT NULL,                                -- of the message
    PRIMARY KEY (campaign_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER campaign_of_message AFTER INSERT ON messages WHEN NEW.campaign_lead_id IS NOT NULL BEGIN
    INSERT INTO campaign_messages SELECT campaign_id, NEW.id, NEW.disposition
    FROM campaign_leads WHERE id = NEW.campaign_lead_id;
END;
CREATE TRIGGER campaign_of_message_changed AFTER UPDATE OF campaign_lead_id, disposition ON messages
    WHEN NEW.campaign_lead_id IS NOT OLD.campaign_lead_id OR NEW.disposition <> OLD.disposition BEGIN
    DELETE FROM campaign_messages WHERE message_id = OLD.id
        AND campaign_id = (SELECT campaign_id FROM campaign_leads WHERE id = OLD.campaign_lead_id);
    INSERT INTO campaign_messages SELECT campaign_id, NEW.id, NEW.disposition
    FROM campaign_leads WHERE id = NEW.campaign_lead_id;
END;
CREATE TRIGGER campaign_of_message_gone AFTER DELETE ON messages WHEN OLD.campaign_lead_id IS NOT NULL BEGIN
    DELETE FROM campaign_messages WHERE message_id = OLD.id
        AND campaign_id = (SELECT campaign_id FROM campaign_leads WHERE id = OLD.campaign_lead_id);
END;
