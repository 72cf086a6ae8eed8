package config

import "slices"

// Prompts is the section prompts.
type Prompts struct {
	Buckets []string `yaml:"buckets" form:"bucket" doc:"Buckets of the S3-compatible store of section recordings.s3 from which CreatePrompt and UpdatePrompt may fetch audio (s3://bucket/key), with the keys of that section. Every instance may read them. The bucket of recordings cannot be one of them."`
}

// promptRules are the rules between keys.
func (d *decoder) promptRules(c *Config) {
	if len(c.Prompts.Buckets) > 0 && c.Recordings.S3.Endpoint == "" {
		d.failNear("recordings.s3.endpoint", "prompts.buckets", "must be set: prompts.buckets are buckets of that store")
	}
	for _, b := range append([]string{c.Recordings.S3.Bucket}, c.Recordings.S3.Buckets...) {
		if b != "" && slices.Contains(c.Prompts.Buckets, b) {
			d.failNear("prompts.buckets", "recordings.s3.bucket", "must not name a bucket of recordings (%s): every instance may read these buckets", b)
		}
	}
}
