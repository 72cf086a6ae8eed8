-- What agents do, line by line (acd.AgentEvent). body is the moment that begins at at_us; the moment before is that of
-- prev_seq. The columns are what SQL can compute on.
CREATE TABLE agent_event (
  seq         @id,
  event_id    @text  NOT NULL,
  instance_id @text  NOT NULL,
  user_id     @text  NOT NULL,
  at_us       BIGINT NOT NULL,
  type        @text  NOT NULL,
  prev_seq    BIGINT NOT NULL,
  profile_id  @text  NOT NULL,
  status_id   @text  NOT NULL,
  status_type @text  NOT NULL,
  busy        BIGINT NOT NULL,
  on_call     BIGINT NOT NULL,
  ringing     BIGINT NOT NULL,
  blocked     BIGINT NOT NULL,
  body        TEXT   NOT NULL
);
CREATE UNIQUE INDEX agent_event_id ON agent_event (event_id);
CREATE INDEX agent_event_seq ON agent_event (instance_id, seq);
CREATE INDEX agent_event_time ON agent_event (instance_id, at_us);

-- The last event of each agent. What lies between since_us and now is not in agent_span yet; seen_us is the last sign of life.
CREATE TABLE agent_now (
  instance_id @text  NOT NULL,
  user_id     @text  NOT NULL,
  seq         BIGINT NOT NULL,
  event_id    @text  NOT NULL,
  since_us    BIGINT NOT NULL,
  seen_us     BIGINT NOT NULL,
  type        @text  NOT NULL,
  body        TEXT   NOT NULL,
  PRIMARY KEY (instance_id, user_id)
);

-- What complete records and the timeline of agents count as (package reporting: Table). Written by the transaction that
-- completes the record or stores the event, never changed. Clustered by time, because reports read ranges of it.
CREATE TABLE contact_fact (
  instance_id            @text  NOT NULL,
  at_us                  BIGINT NOT NULL,
  contact_id             @text  NOT NULL,
  channel                @text  NOT NULL,
  subtype                @text  NOT NULL,
  method                 @text  NOT NULL,
  reason                 @text  NOT NULL,
  queue_id               @text  NOT NULL,
  agent_id               @text  NOT NULL,
  profile_id             @text  NOT NULL,
  campaign_id            @text  NOT NULL,
  machine                @text  NOT NULL,
  level1_id              @text  NOT NULL,
  level2_id              @text  NOT NULL,
  level3_id              @text  NOT NULL,
  level4_id              @text  NOT NULL,
  level5_id              @text  NOT NULL,
  initiated_us           BIGINT NOT NULL,
  enqueued_us            BIGINT NOT NULL,
  joined_us              BIGINT NOT NULL,
  agent_queue            BIGINT NOT NULL,
  queued                 BIGINT NOT NULL,
  abandoned              BIGINT NOT NULL,
  answered               BIGINT NOT NULL,
  removed                BIGINT NOT NULL,
  handled                BIGINT NOT NULL,
  queue_us               BIGINT NOT NULL,
  answer_us              BIGINT NOT NULL,
  interaction_us         BIGINT NOT NULL,
  hold_us                BIGINT NOT NULL,
  agent_hold_us          BIGINT NOT NULL,
  holds                  BIGINT NOT NULL,
  acw_us                 BIGINT NOT NULL,
  pause_us               BIGINT NOT NULL,
  handle_us              BIGINT NOT NULL,
  active_us              BIGINT NOT NULL,
  interaction_hold_us    BIGINT NOT NULL,
  connecting_us          BIGINT NOT NULL,
  connecting             BIGINT NOT NULL,
  flow_us                BIGINT NOT NULL,
  duration_us            BIGINT NOT NULL,
  resolution_us          BIGINT NOT NULL,
  held_at_end            BIGINT NOT NULL,
  transferred            BIGINT NOT NULL,
  transferred_external   BIGINT NOT NULL,
  callback_retry         BIGINT NOT NULL,
  agent_messages         BIGINT NOT NULL,
  customer_messages      BIGINT NOT NULL,
  bot_messages           BIGINT NOT NULL,
  messages               BIGINT NOT NULL,
  chat_metrics           BIGINT NOT NULL,
  first_response_us      BIGINT NOT NULL,
  first_response         BIGINT NOT NULL,
  agent_response_us      BIGINT NOT NULL,
  agent_responses        BIGINT NOT NULL,
  customer_response_us   BIGINT NOT NULL,
  customer_responses     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, at_us, contact_id)
) @clustered;

CREATE TABLE offer_fact (
  instance_id            @text  NOT NULL,
  at_us                  BIGINT NOT NULL,
  contact_id             @text  NOT NULL,
  n                      BIGINT NOT NULL,
  channel                @text  NOT NULL,
  subtype                @text  NOT NULL,
  method                 @text  NOT NULL,
  queue_id               @text  NOT NULL,
  agent_id               @text  NOT NULL,
  profile_id             @text  NOT NULL,
  level1_id              @text  NOT NULL,
  level2_id              @text  NOT NULL,
  level3_id              @text  NOT NULL,
  level4_id              @text  NOT NULL,
  level5_id              @text  NOT NULL,
  agent_queue            BIGINT NOT NULL,
  answered               BIGINT NOT NULL,
  missed                 BIGINT NOT NULL,
  abandoned              BIGINT NOT NULL,
  PRIMARY KEY (instance_id, at_us, contact_id, n)
) @clustered;

CREATE TABLE step_fact (
  instance_id            @text  NOT NULL,
  at_us                  BIGINT NOT NULL,
  contact_id             @text  NOT NULL,
  n                      BIGINT NOT NULL,
  channel                @text  NOT NULL,
  queue_id               @text  NOT NULL,
  step                   @text  NOT NULL,
  agent_queue            BIGINT NOT NULL,
  joined                 BIGINT NOT NULL,
  expired                BIGINT NOT NULL,
  PRIMARY KEY (instance_id, at_us, contact_id, n)
) @clustered;

CREATE TABLE flow_fact (
  instance_id            @text  NOT NULL,
  at_us                  BIGINT NOT NULL,
  contact_id             @text  NOT NULL,
  n                      BIGINT NOT NULL,
  channel                @text  NOT NULL,
  subtype                @text  NOT NULL,
  method                 @text  NOT NULL,
  flow_type              @text  NOT NULL,
  flow_id                @text  NOT NULL,
  module_id              @text  NOT NULL,
  outcome                @text  NOT NULL,
  next_flow_id           @text  NOT NULL,
  next_queue_id          @text  NOT NULL,
  initiated_us           BIGINT NOT NULL,
  ended                  BIGINT NOT NULL,
  took_us                BIGINT NOT NULL,
  PRIMARY KEY (instance_id, at_us, contact_id, n)
) @clustered;

CREATE TABLE agent_span (
  instance_id            @text  NOT NULL,
  at_us                  BIGINT NOT NULL,
  to_us                  BIGINT NOT NULL,
  agent_id               @text  NOT NULL,
  profile_id             @text  NOT NULL,
  level1_id              @text  NOT NULL,
  level2_id              @text  NOT NULL,
  level3_id              @text  NOT NULL,
  level4_id              @text  NOT NULL,
  level5_id              @text  NOT NULL,
  online_us              BIGINT NOT NULL,
  contact_us             BIGINT NOT NULL,
  idle_us                BIGINT NOT NULL,
  custom_us              BIGINT NOT NULL,
  error_us               BIGINT NOT NULL,
  slot_us                BIGINT NOT NULL,
  contact_or_idle_us     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, at_us, agent_id)
) @clustered;

CREATE TABLE agent_quarter (
  instance_id            @text  NOT NULL,
  at_us                  BIGINT NOT NULL,
  agent_id               @text  NOT NULL,
  profile_id             @text  NOT NULL,
  level1_id              @text  NOT NULL,
  level2_id              @text  NOT NULL,
  level3_id              @text  NOT NULL,
  level4_id              @text  NOT NULL,
  level5_id              @text  NOT NULL,
  online_us              BIGINT NOT NULL,
  contact_us             BIGINT NOT NULL,
  idle_us                BIGINT NOT NULL,
  custom_us              BIGINT NOT NULL,
  error_us               BIGINT NOT NULL,
  slot_us                BIGINT NOT NULL,
  contact_or_idle_us     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, at_us, agent_id, profile_id, level1_id, level2_id, level3_id, level4_id, level5_id)
) @clustered;

CREATE INDEX contact_fact_initiated ON contact_fact (instance_id, initiated_us);
CREATE INDEX contact_fact_enqueued ON contact_fact (instance_id, enqueued_us) WHERE enqueued_us > 0;
CREATE INDEX contact_fact_joined ON contact_fact (instance_id, joined_us) WHERE joined_us > 0;
CREATE INDEX flow_fact_started ON flow_fact (instance_id, initiated_us);

-- Which records have been counted: once each.
ALTER TABLE contact ADD COLUMN counted BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX contact_uncounted ON contact (instance_id, id) WHERE NOT open AND NOT counted;

-- Views for reports of one's own; docs/metrics.md describes their columns, which stay as they are. Times are UTC, durations seconds.
CREATE VIEW report_contact AS
SELECT f.instance_id, i.name AS instance, f.contact_id, @iso(f.at_us@) AS disconnected_at, @iso(f.initiated_us@) AS initiated_at,
  CASE WHEN f.enqueued_us > 0 THEN @iso(f.enqueued_us@) END AS enqueued_at,
  CASE WHEN f.joined_us > 0 THEN @iso(f.joined_us@) END AS joined_at,
  f.at_us AS disconnected_us, f.channel, f.subtype, f.method AS initiation_method, f.reason AS disconnect_reason,
  f.queue_id, COALESCE(q.name, '') AS queue, f.agent_queue, f.agent_id, COALESCE(u.name, '') AS agent,
  f.profile_id AS routing_profile_id, COALESCE(p.name, '') AS routing_profile, f.level1_id, f.level2_id, f.level3_id, f.level4_id, f.level5_id,
  f.campaign_id, f.queued, f.answered, f.abandoned, f.removed AS removed_from_queue, f.handled, f.holds, f.held_at_end,
  f.transferred AS transferred_out, f.transferred_external, f.callback_retry,
  ROUND(f.queue_us / 1000000.0, 6) AS queue_seconds,
  ROUND(f.answer_us / 1000000.0, 6) AS answer_seconds,
  ROUND(f.interaction_us / 1000000.0, 6) AS interaction_seconds,
  ROUND(f.hold_us / 1000000.0, 6) AS hold_seconds,
  ROUND(f.agent_hold_us / 1000000.0, 6) AS agent_hold_seconds,
  ROUND(f.acw_us / 1000000.0, 6) AS acw_seconds,
  ROUND(f.pause_us / 1000000.0, 6) AS pause_seconds,
  ROUND(f.handle_us / 1000000.0, 6) AS handle_seconds,
  ROUND(f.active_us / 1000000.0, 6) AS active_seconds,
  ROUND(f.connecting_us / 1000000.0, 6) AS connecting_seconds,
  ROUND(f.flow_us / 1000000.0, 6) AS flow_seconds,
  ROUND(f.duration_us / 1000000.0, 6) AS duration_seconds,
  ROUND(f.resolution_us / 1000000.0, 6) AS resolution_seconds,
  ROUND(f.first_response_us / 1000000.0, 6) AS first_response_seconds,
  ROUND(f.agent_response_us / 1000000.0, 6) AS agent_response_seconds,
  ROUND(f.customer_response_us / 1000000.0, 6) AS customer_response_seconds,
  f.agent_messages, f.customer_messages, f.bot_messages
FROM contact_fact f
LEFT JOIN resource i ON i.id = f.instance_id
LEFT JOIN resource q ON q.id = f.queue_id
LEFT JOIN resource u ON u.id = f.agent_id
LEFT JOIN resource p ON p.id = f.profile_id;

CREATE VIEW report_queue_day AS
SELECT f.instance_id, @day(f.at_us@) AS day, f.queue_id, MAX(COALESCE(q.name, '')) AS queue, f.channel,
  SUM(f.queued) AS contacts_queued, SUM(f.answered) AS contacts_answered, SUM(f.abandoned) AS contacts_abandoned, SUM(f.handled) AS contacts_handled,
  SUM(CASE WHEN f.removed = 1 AND f.queue_us <= 20000000 THEN 1 ELSE 0 END) AS removed_in_20,
  CASE WHEN SUM(f.queued) > 0 THEN ROUND(100.0 * SUM(CASE WHEN f.removed = 1 AND f.queue_us <= 20000000 THEN 1 ELSE 0 END) / SUM(f.queued), 2) END AS service_level_20,
  CASE WHEN SUM(f.answered) > 0 THEN ROUND(SUM(CASE WHEN f.answered = 1 THEN f.queue_us ELSE 0 END) / 1000000.0 / SUM(f.answered), 3) END AS average_answer_seconds,
  CASE WHEN SUM(f.handled) > 0 THEN ROUND(SUM(f.handle_us) / 1000000.0 / SUM(f.handled), 3) END AS average_handle_seconds,
  ROUND(MAX(f.queue_us) / 1000000.0, 3) AS longest_wait_seconds
FROM contact_fact f LEFT JOIN resource q ON q.id = f.queue_id
WHERE f.queued = 1 AND f.agent_queue = 0
GROUP BY f.instance_id, @day(f.at_us@), f.queue_id, f.channel;

CREATE VIEW report_agent_quarter AS
SELECT f.instance_id, @iso(f.at_us@) AS quarter_at, f.at_us AS quarter_us, f.agent_id, COALESCE(u.name, '') AS agent, f.profile_id AS routing_profile_id,
  f.level1_id, f.level2_id, f.level3_id, f.level4_id, f.level5_id, ROUND(f.online_us / 1000000.0, 6) AS online_seconds,
  ROUND(f.contact_us / 1000000.0, 6) AS contact_seconds, ROUND(f.idle_us / 1000000.0, 6) AS idle_seconds,
  ROUND(f.custom_us / 1000000.0, 6) AS non_productive_seconds, ROUND(f.error_us / 1000000.0, 6) AS error_seconds
FROM agent_quarter f LEFT JOIN resource u ON u.id = f.agent_id;

CREATE VIEW report_agent_event AS
SELECT e.instance_id, e.seq, e.event_id, @iso(e.at_us@) AS at, e.at_us, e.type, e.user_id AS agent_id, COALESCE(u.name, '') AS agent,
  e.profile_id AS routing_profile_id, e.status_id, COALESCE(s.name, '') AS status, e.status_type, e.busy AS contacts, e.on_call, e.ringing, e.blocked AS in_error
FROM agent_event e LEFT JOIN resource u ON u.id = e.user_id LEFT JOIN resource s ON s.id = e.status_id;
