-- People who have signed in (identity.Session), by the SHA-256 of their token.
CREATE TABLE user_session (
  token_sha256 @text  NOT NULL PRIMARY KEY,
  instance_id  @text  NOT NULL,
  user_id      @text  NOT NULL,
  password     @text  NOT NULL,
  source       @text  NOT NULL,
  created_us   BIGINT NOT NULL,
  used_us      BIGINT NOT NULL
);
CREATE INDEX user_session_user ON user_session (user_id, created_us);
CREATE INDEX user_session_used ON user_session (used_us);

-- Commands of agents by the key that their client gave them, so that none is done twice. answer is empty while a command
-- is being done: if the process dies then, nobody knows what came of it.
CREATE TABLE agent_command (
  user_id    @text  NOT NULL,
  command_id @text  NOT NULL,
  digest     @text  NOT NULL,
  at_us      BIGINT NOT NULL,
  answer     @bytes NOT NULL,
  PRIMARY KEY (user_id, command_id)
);
CREATE INDEX agent_command_at ON agent_command (at_us);
