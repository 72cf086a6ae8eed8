-- Values that the server makes once and keeps: the key of digest nonces, the key that encrypts access keys.
CREATE TABLE setting (
  key   @text  NOT NULL PRIMARY KEY,
  value @bytes NOT NULL
);
