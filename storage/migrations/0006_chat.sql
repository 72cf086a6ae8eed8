-- Chats and tasks (chat.State). body is the whole state; the columns are what is searched.
CREATE TABLE chat (
  id           @text   NOT NULL PRIMARY KEY,
  instance_id  @text   NOT NULL,
  node         @text   NOT NULL,
  channel      @text   NOT NULL,
  client_token @text   NOT NULL,
  version      BIGINT  NOT NULL,
  open         BOOLEAN NOT NULL,
  body         TEXT    NOT NULL
);
CREATE INDEX chat_open ON chat (node) WHERE open;
CREATE UNIQUE INDEX chat_client_token ON chat (instance_id, channel, client_token) WHERE client_token <> '';

-- What was said and what happened in a chat (chat.Item), in the order of seq. audience is the role that alone sees it.
CREATE TABLE chat_item (
  chat_id    @text  NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
  seq        BIGINT NOT NULL,
  id         @text  NOT NULL,
  contact_id @text  NOT NULL,
  at_us      BIGINT NOT NULL,
  audience   @text  NOT NULL,
  body       TEXT   NOT NULL,
  PRIMARY KEY (chat_id, seq)
);
CREATE UNIQUE INDEX chat_item_id ON chat_item (chat_id, id);

-- Bearer tokens of participants and files, by their SHA-256 (chat.Token).
CREATE TABLE chat_token (
  hash           @text  NOT NULL PRIMARY KEY,
  kind           @text  NOT NULL,
  chat_id        @text  NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
  participant_id @text  NOT NULL,
  subject        @text  NOT NULL,
  expires_us     BIGINT NOT NULL
);
CREATE INDEX chat_token_holder ON chat_token (chat_id, participant_id, kind, expires_us);
CREATE INDEX chat_token_expires ON chat_token (expires_us);
