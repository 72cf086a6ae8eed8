CREATE TABLE agent_state (
  instance_id      TEXT  NOT NULL,
  user_id          TEXT  NOT NULL,
  status_id        TEXT  NOT NULL,
  status_since_us  BIGINT NOT NULL,
  next_status_id   TEXT  NOT NULL,
  last_activity_us BIGINT NOT NULL,
  last_inbound_us  BIGINT NOT NULL,
  version          BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id)
);
INSERT INTO "agent_state" VALUES('inst-1','agent-1','available',1763800000000000,'',0,0,7);
CREATE TABLE contact (
  id              TEXT   NOT NULL PRIMARY KEY,
  instance_id     TEXT   NOT NULL,
  node            TEXT   NOT NULL,
  channel         TEXT   NOT NULL,
  queue_id        TEXT   NOT NULL,
  agent_id        TEXT   NOT NULL,
  call_id         TEXT   NOT NULL,
  initiated_us    BIGINT  NOT NULL,
  disconnected_us BIGINT  NOT NULL,
  open            BOOLEAN NOT NULL,
  acw_start_us    BIGINT  NOT NULL DEFAULT 0,
  acw_end_us      BIGINT  NOT NULL DEFAULT 0,
  touched_us      BIGINT  NOT NULL DEFAULT 0,
  body            TEXT    NOT NULL
);
INSERT INTO "contact" VALUES('contact-1','inst-1','node-1','VOICE','queue-1','agent-1','call-1',1763800000000000,0,1,0,0,0,'{"id":"contact-1","instanceId":"inst-1","node":"node-1","callId":"call-1","channel":"VOICE","initiationMethod":"INBOUND","initiationTimestamp":"2025-11-22T08:26:40Z"}');
CREATE TABLE job (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     TEXT   NOT NULL,
  key      TEXT   NOT NULL,
  payload  TEXT    NOT NULL,
  due_us   BIGINT  NOT NULL,
  ready_us BIGINT  NOT NULL,
  attempts BIGINT  NOT NULL,
  buried   BOOLEAN NOT NULL,
  last_err TEXT    NOT NULL
);
INSERT INTO "job" VALUES(1,'recording.upload','contact-0/0','{"contactId":"contact-0","instanceId":"inst-1","index":0,"spool":"a.wav","key":"connect/acme/a.wav"}',1763800000000000,1763800000000000,2,0,'server away');
CREATE TABLE registration (
  device_id  TEXT  NOT NULL,
  position   BIGINT NOT NULL,
  expires_us BIGINT NOT NULL,
  body       TEXT   NOT NULL,
  PRIMARY KEY (device_id, position)
);
INSERT INTO "registration" VALUES('device-1',0,1763800000000000,'{"deviceId":"device-1","instanceId":"inst-1","userId":"agent-1","contact":"sip:a@192.0.2.1","source":"192.0.2.1:5060","transport":"UDP","callId":"x","cseq":5,"expires":"2025-11-22T08:26:40Z","registered":"2025-11-22T08:26:40Z"}');
CREATE TABLE reservation (
  offer_id    TEXT  NOT NULL PRIMARY KEY,
  instance_id TEXT  NOT NULL,
  user_id     TEXT  NOT NULL,
  contact_id  TEXT  NOT NULL,
  queue_id    TEXT  NOT NULL,
  channel     TEXT  NOT NULL,
  state       TEXT  NOT NULL,
  node        TEXT  NOT NULL,
  since_us    BIGINT NOT NULL
);
INSERT INTO "reservation" VALUES('offer-1','inst-1','agent-1','contact-1','queue-1','VOICE','CONNECTED','node-1',1763800000000000);
CREATE TABLE resource (
  id          TEXT  NOT NULL PRIMARY KEY,
  kind        TEXT  NOT NULL,
  instance_id TEXT  NOT NULL,
  name        TEXT  NOT NULL,
  lookup      TEXT,
  version     BIGINT NOT NULL,
  created_us  BIGINT NOT NULL,
  modified_us BIGINT NOT NULL,
  body        TEXT   NOT NULL
);
INSERT INTO "resource" VALUES('inst-1','instance','','acme',NULL,1,1763800000000000,1763800000000000,'{"id":"inst-1","instanceId":"inst-1","name":"acme","version":1,"displayName":"Acme","identityMode":"CONNECT_MANAGED","inboundCallsEnabled":true,"outboundCallsEnabled":true,"recordingsKept":true}');
INSERT INTO "resource" VALUES('hours-1','operating-hours','inst-1','Basic Hours',NULL,1,1763800000000000,1763800000000000,'{"id":"hours-1","instanceId":"inst-1","name":"Basic Hours","version":1,"hours":{"zone":"Asia/Seoul","slots":null}}');
INSERT INTO "resource" VALUES('queue-1','queue','inst-1','BasicQueue',NULL,3,1763800000000000,1763900000000000,'{"id":"queue-1","instanceId":"inst-1","name":"BasicQueue","version":3,"hoursId":"hours-1","status":"ENABLED"}');
CREATE TABLE resource_ref (
  from_id TEXT NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
  to_id   TEXT NOT NULL REFERENCES resource (id) ON DELETE RESTRICT,
  PRIMARY KEY (from_id, to_id)
);
INSERT INTO "resource_ref" VALUES('queue-1','hours-1');
CREATE TABLE schema_migration (
		version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_us BIGINT NOT NULL);
INSERT INTO "schema_migration" VALUES(1,'0001_start.sql',1795339430937471);
CREATE UNIQUE INDEX resource_name ON resource (instance_id, kind, name);
CREATE INDEX resource_kind ON resource (kind, name, id);
CREATE UNIQUE INDEX resource_lookup ON resource (kind, lookup) WHERE lookup IS NOT NULL;
CREATE UNIQUE INDEX resource_access_key ON resource (name) WHERE kind = 'access-key';
CREATE INDEX resource_ref_to ON resource_ref (to_id);
CREATE INDEX contact_time ON contact (instance_id, initiated_us, id);
CREATE INDEX contact_open ON contact (node) WHERE open;
CREATE UNIQUE INDEX reservation_live ON reservation (contact_id) WHERE state IN ('OFFERED', 'CONNECTED');
CREATE INDEX reservation_contact ON reservation (contact_id);
CREATE INDEX reservation_agent ON reservation (instance_id, user_id, channel);
CREATE INDEX reservation_node ON reservation (node);
CREATE UNIQUE INDEX job_alive ON job (kind, key) WHERE NOT buried;
CREATE INDEX job_ready ON job (ready_us) WHERE NOT buried;
