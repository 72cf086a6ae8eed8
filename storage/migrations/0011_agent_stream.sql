-- Up to which event of its agents (agent_event.seq) an instance has been told; a row only while somebody wants to be told.
CREATE TABLE agent_told (
  instance_id @text  NOT NULL PRIMARY KEY,
  seq         BIGINT NOT NULL
);
