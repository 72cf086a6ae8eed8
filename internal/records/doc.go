// Package records is what others learn about contacts: the contact record as Amazon Connect exports it, the contact
// events, and the stream that brings both, and agent events, to whoever asks for them, at least once.
//
//	record.go       RecordOf: a contact.Record in Connect's exported shape (pure)
//	parts.go        its parts: agent, queue, recordings, quality, chat figures
//	event.go        contact events (pure)
//	agent_event.go  agent events in Connect's shape
//	follow.go       Follow: from what is known of a contact and its record now to the items that are due (pure)
//	item.go         Item, and the envelope in which it travels
//	destination.go  the resource: where items of an instance go
//	disposition.go  the resource: codes that agents choose; Desk sets them
//	follower.go     turns marks of changed contacts into items
//	agents.go       the follower's part that turns the stored timeline of agents into items
//	pump.go         one destination: reads items behind its cursor, delivers them, moves the cursor
//	ports.go        what the two need of a database, and who delivers
//	window.go       what of a page was delivered, refused, and is tried again (pure)
//	lines.go        destination "file": JSON lines, rotated; lines of a minute for "s3"
//	service.go      Service: a follower, and a pump for each destination, started and stopped as destinations change
//
// # From a record to a consumer
//
//	contact row ──commit──> row + mark ──follower──> items (one transaction with what was told so far) ──pump──> destination
//
// Whatever writes a contact's row puts a mark (one small row, the same for several writes) into the same transaction, if
// its instance has a destination at all. The follower reads the marked contacts, lets Follow say what is new, and commits
// the new items, the new state of what was told, and the removal of the mark together. A pump reads the items behind its
// cursor, which is kept in the database. So nothing is lost when the process is killed at any moment, and what may be sent
// twice has the same id both times. A destination that is dead costs rows on the disk, not memory, and never a call's time.
//
// Items of one contact are numbered, and delivered in that order: what follows an item waits until it is delivered or
// dead-lettered. A dead letter is a row that can be looked at and sent again. Items are kept for a week after they were
// made, longer (a month) if a destination has not had them yet; what is older is replayed from the records themselves.
package records
