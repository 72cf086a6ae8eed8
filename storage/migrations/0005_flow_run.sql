-- The run log of flows: what each action of a contact did (ivr.StoredRun). Ids grow with time.
CREATE TABLE flow_run (
  id           @text  NOT NULL PRIMARY KEY,
  instance_id  @text  NOT NULL,
  contact_id   @text  NOT NULL,
  at_us        BIGINT NOT NULL,
  took_us      BIGINT NOT NULL,
  flow_id      @text  NOT NULL,
  flow_name    TEXT   NOT NULL,
  flow_version BIGINT NOT NULL,
  flow_type    TEXT   NOT NULL,
  action_id    @text  NOT NULL,
  action_type  @text  NOT NULL,
  result       TEXT   NOT NULL,
  outcome      TEXT   NOT NULL,
  error_type   @text  NOT NULL,
  error        TEXT   NOT NULL,
  next         TEXT   NOT NULL
);
CREATE INDEX flow_run_time ON flow_run (instance_id, at_us, id);
CREATE INDEX flow_run_flow ON flow_run (instance_id, flow_id, at_us, id);
CREATE INDEX flow_run_contact ON flow_run (contact_id, at_us, id);
