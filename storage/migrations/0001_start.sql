-- What operators configure: queues, users, flows, trunks ... (internal/resource). instance_id is '' for instances
-- themselves. lookup finds a resource of any instance by something else than its name: an access key by its token's hash.
CREATE TABLE resource (
  id          @text  NOT NULL PRIMARY KEY,
  kind        @text  NOT NULL,
  instance_id @text  NOT NULL,
  name        @text  NOT NULL,
  lookup      @text,
  version     BIGINT NOT NULL,
  created_us  BIGINT NOT NULL,
  modified_us BIGINT NOT NULL,
  body        TEXT   NOT NULL
);
CREATE UNIQUE INDEX resource_name ON resource (instance_id, kind, name);
CREATE INDEX resource_kind ON resource (kind, name, id);
CREATE UNIQUE INDEX resource_lookup ON resource (kind, lookup) WHERE lookup IS NOT NULL;
CREATE UNIQUE INDEX resource_access_key ON resource (name) WHERE kind = 'access-key';

-- Who needs whom.
CREATE TABLE resource_ref (
  from_id @text NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
  to_id   @text NOT NULL REFERENCES resource (id) ON DELETE RESTRICT,
  PRIMARY KEY (from_id, to_id)
);
CREATE INDEX resource_ref_to ON resource_ref (to_id);

-- Contact records (internal/contact). After-contact work is written by the ACD while the call may be writing the rest,
-- so it has columns of its own, which win over body.
CREATE TABLE contact (
  id              @text   NOT NULL PRIMARY KEY,
  instance_id     @text   NOT NULL,
  node            @text   NOT NULL,
  channel         @text   NOT NULL,
  queue_id        @text   NOT NULL,
  agent_id        @text   NOT NULL,
  call_id         @text   NOT NULL,
  initiated_us    BIGINT  NOT NULL,
  disconnected_us BIGINT  NOT NULL,
  open            BOOLEAN NOT NULL,
  acw_start_us    BIGINT  NOT NULL DEFAULT 0,
  acw_end_us      BIGINT  NOT NULL DEFAULT 0,
  touched_us      BIGINT  NOT NULL DEFAULT 0,
  body            TEXT    NOT NULL
);
CREATE INDEX contact_time ON contact (instance_id, initiated_us, id);
CREATE INDEX contact_open ON contact (node) WHERE open;

-- What status an agent has chosen (acd.AgentState).
CREATE TABLE agent_state (
  instance_id      @text  NOT NULL,
  user_id          @text  NOT NULL,
  status_id        @text  NOT NULL,
  status_since_us  BIGINT NOT NULL,
  next_status_id   @text  NOT NULL,
  last_activity_us BIGINT NOT NULL,
  last_inbound_us  BIGINT NOT NULL,
  version          BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id)
);

-- Agents taken for contacts (acd.Reservation). A contact has one live reservation at most.
CREATE TABLE reservation (
  offer_id    @text  NOT NULL PRIMARY KEY,
  instance_id @text  NOT NULL,
  user_id     @text  NOT NULL,
  contact_id  @text  NOT NULL,
  queue_id    @text  NOT NULL,
  channel     @text  NOT NULL,
  state       @text  NOT NULL,
  node        @text  NOT NULL,
  since_us    BIGINT NOT NULL
);
CREATE UNIQUE INDEX reservation_live ON reservation (contact_id) WHERE state IN ('OFFERED', 'CONNECTED');
CREATE INDEX reservation_contact ON reservation (contact_id);
CREATE INDEX reservation_agent ON reservation (instance_id, user_id, channel);
CREATE INDEX reservation_node ON reservation (node);

-- Where devices can be reached (sip.Registration).
CREATE TABLE registration (
  device_id  @text  NOT NULL,
  position   BIGINT NOT NULL,
  expires_us BIGINT NOT NULL,
  body       TEXT   NOT NULL,
  PRIMARY KEY (device_id, position)
);

-- Durable work (internal/jobs). ready_us is when it may be claimed: its due time, or the end of a claim's lease.
CREATE TABLE job (
  id       @id,
  kind     @text   NOT NULL,
  key      @text   NOT NULL,
  payload  TEXT    NOT NULL,
  due_us   BIGINT  NOT NULL,
  ready_us BIGINT  NOT NULL,
  attempts BIGINT  NOT NULL,
  buried   BOOLEAN NOT NULL,
  last_err TEXT    NOT NULL
);
CREATE UNIQUE INDEX job_alive ON job (kind, key) WHERE NOT buried;
CREATE INDEX job_ready ON job (ready_us) WHERE NOT buried;
