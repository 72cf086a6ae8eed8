-- Small facts of signalling that a restart must not forget (sip.State): bans, what was spent today, waiting messages.
CREATE TABLE sip_state (
  kind     @text  NOT NULL,
  key      @text  NOT NULL,
  until_us BIGINT NOT NULL,
  body     @bytes NOT NULL,
  PRIMARY KEY (kind, key)
);
