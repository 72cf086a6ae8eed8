-- What contacts are searched by, beside their own columns of 0001. disposition and notes are written by agents while the
-- call may be writing the rest, so they win over body.
ALTER TABLE contact ADD COLUMN method @text NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN reason @text NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN customer @text NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN chain_id @text NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN disposition @text NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN notes TEXT NOT NULL DEFAULT '';
UPDATE contact SET method = COALESCE(@json(body,initiationMethod), ''), reason = COALESCE(@json(body,disconnectReason), ''),
  customer = COALESCE(@json(body,customerEndpoint.address), ''), chain_id = COALESCE(@json(body,initialContactId), '');

-- A contact enters these when it is closed, once: a call in progress pays for none of them.
CREATE INDEX contact_queue ON contact (instance_id, queue_id, initiated_us, id) WHERE NOT open AND queue_id <> '';
CREATE INDEX contact_agent ON contact (instance_id, agent_id, initiated_us, id) WHERE NOT open AND agent_id <> '';
CREATE INDEX contact_customer ON contact (instance_id, customer, initiated_us, id) WHERE NOT open AND customer <> '';
CREATE INDEX contact_disposition ON contact (instance_id, disposition, initiated_us, id) WHERE NOT open AND disposition <> '';
CREATE INDEX contact_reason ON contact (instance_id, reason, initiated_us, id) WHERE NOT open AND reason <> '';
CREATE INDEX contact_method ON contact (instance_id, method, initiated_us, id) WHERE NOT open AND method <> '';
CREATE INDEX contact_ended ON contact (instance_id, disconnected_us, id) WHERE NOT open;
CREATE INDEX contact_chain ON contact (instance_id, chain_id, initiated_us, id) WHERE chain_id <> '';

-- Attributes that the instance has declared searchable, of contacts that have ended.
CREATE TABLE contact_attribute (
  instance_id  @text  NOT NULL,
  name         @text  NOT NULL,
  value        @text  NOT NULL,
  initiated_us BIGINT NOT NULL,
  contact_id   @text  NOT NULL,
  PRIMARY KEY (instance_id, name, value, initiated_us, contact_id)
);
CREATE INDEX contact_attribute_contact ON contact_attribute (contact_id);

-- Contacts that were written since the follower looked (internal/records). gen counts the writes.
CREATE TABLE contact_mark (
  contact_id  @text  NOT NULL PRIMARY KEY,
  instance_id @text  NOT NULL,
  gen         BIGINT NOT NULL
);

-- What was told of a contact (records.Told). again_us is when it is looked at again though nobody writes it, 0: never.
CREATE TABLE contact_told (
  contact_id  @text  NOT NULL PRIMARY KEY,
  instance_id @text  NOT NULL,
  again_us    BIGINT NOT NULL,
  body        TEXT   NOT NULL
);
CREATE INDEX contact_told_again ON contact_told (again_us) WHERE again_us <> 0;

-- What there is to tell (records.Item), in order.
CREATE TABLE stream_item (
  seq         @id,
  instance_id @text  NOT NULL,
  kind        @text  NOT NULL,
  key         @text  NOT NULL,
  number      BIGINT NOT NULL,
  id          @text  NOT NULL,
  type        @text  NOT NULL,
  at_us       BIGINT NOT NULL,
  added_us    BIGINT NOT NULL,
  body        TEXT   NOT NULL
);
CREATE INDEX stream_item_instance ON stream_item (instance_id, seq);
CREATE INDEX stream_item_added ON stream_item (added_us, seq);

-- How far each destination is (records.Cursor).
CREATE TABLE stream_cursor (
  destination_id @text  NOT NULL PRIMARY KEY,
  instance_id    @text  NOT NULL,
  seq            BIGINT NOT NULL,
  refill_from_us BIGINT NOT NULL,
  refill_to_us   BIGINT NOT NULL,
  refill_id      @text  NOT NULL
);

-- Who does what only one process may do.
CREATE TABLE stream_lead (
  name     @text  NOT NULL PRIMARY KEY,
  owner    @text  NOT NULL,
  until_us BIGINT NOT NULL
);

-- What a destination did not take (records.DeadLetter).
CREATE TABLE stream_dead (
  id             @id,
  destination_id @text  NOT NULL,
  instance_id    @text  NOT NULL,
  at_us          BIGINT NOT NULL,
  tries          BIGINT NOT NULL,
  reason         TEXT   NOT NULL,
  item_id        @text  NOT NULL,
  body           TEXT   NOT NULL
);
CREATE INDEX stream_dead_destination ON stream_dead (destination_id, id);
CREATE UNIQUE INDEX stream_dead_item ON stream_dead (destination_id, item_id);

-- Who changed what (audit.Entry), each instance's entries numbered and chained.
CREATE TABLE audit_entry (
  instance_id @text  NOT NULL,
  seq         BIGINT NOT NULL,
  at_us       BIGINT NOT NULL,
  user_id     @text  NOT NULL,
  operation   @text  NOT NULL,
  resource    @text  NOT NULL,
  body        TEXT   NOT NULL,
  PRIMARY KEY (instance_id, seq)
);
CREATE INDEX audit_entry_user ON audit_entry (instance_id, user_id, seq);
CREATE INDEX audit_entry_resource ON audit_entry (instance_id, resource, seq) WHERE resource <> '';
CREATE INDEX audit_entry_operation ON audit_entry (instance_id, operation, seq);

-- The end of each chain, and its beginning: what was removed by age up to base_seq ended with base_hash.
CREATE TABLE audit_chain (
  instance_id @text  NOT NULL PRIMARY KEY,
  seq         BIGINT NOT NULL,
  hash        @text  NOT NULL,
  base_seq    BIGINT NOT NULL,
  base_hash   @text  NOT NULL
);
