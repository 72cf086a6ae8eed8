-- Every publication of a flow or module, kept as it was (ivr.Version). Numbers are never used again.
CREATE TABLE flow_version (
  flow_id     @text  NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
  number      BIGINT NOT NULL,
  sha256      @text  NOT NULL,
  description TEXT   NOT NULL,
  created_us  BIGINT NOT NULL,
  content     TEXT   NOT NULL,
  PRIMARY KEY (flow_id, number)
);
