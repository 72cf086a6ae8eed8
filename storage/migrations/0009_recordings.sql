-- Recordings and transcripts of closed contacts, for what looks for them by age: the truth is in the body of the contact.
CREATE TABLE recording (
  contact_id  @text  NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  position    BIGINT NOT NULL,
  instance_id @text  NOT NULL,
  queue_id    @text  NOT NULL,
  channel     @text  NOT NULL,
  status      @text  NOT NULL,
  ended_us    BIGINT NOT NULL,
  PRIMARY KEY (contact_id, position)
);
CREATE INDEX recording_age ON recording (instance_id, channel, ended_us, contact_id, position) WHERE status = 'AVAILABLE';
CREATE INDEX recording_queue_age ON recording (instance_id, channel, queue_id, ended_us) WHERE status = 'AVAILABLE';

-- Contacts whose recordings must not be deleted (recording.Hold).
CREATE TABLE legal_hold (
  contact_id  @text  NOT NULL PRIMARY KEY REFERENCES contact (id),
  instance_id @text  NOT NULL,
  reason      TEXT   NOT NULL,
  user_id     @text  NOT NULL,
  since_us    BIGINT NOT NULL
);
CREATE INDEX legal_hold_instance ON legal_hold (instance_id, since_us, contact_id);
