// Package campaigns will be the half of ullim that does the work of Amazon Pinpoint: projects, endpoints, import, segments,
// templates, schedules, journeys and analytics, with one sub-package for each channel that sends (email, sms, push,
// webhook). There is no code yet; this is the place, and internal/arch says whom it may know.
//
// The design: one actor for each running campaign, which sleeps until the next due time that its store reports; people are
// claimed in one statement; every message passes the chain of internal/permit at the moment of sending; the message row is
// the job, unique by campaign run, endpoint and step, so that a crash neither loses nor doubles one.
package campaigns
