// Package chat runs contacts without audio, chats and tasks, as package call runs voice contacts: one actor for each
// conversation, a pure step function that decides everything, ports declared here.
//
// # Layout
//
//	item.go          what is said and what happens in a chat, as clients, transcripts and the store see it
//	state.go         State, Event, Effects
//	step*.go         Step, the pure function; step_agent.go: offers and agents; step_flow.go: flows, queues, segments;
//	                 step_time.go: everything that has a deadline
//	ports.go         what a chat needs of the world (Store, Flows, Queues, Blobs)
//	actor.go         the loop: an event is decided, committed, and only then performed and told
//	control.go       the hand of a flow on its chat
//	manager.go       all chats of this process: Start, resume after a restart, Offer (the ACD), Stop
//	participant.go   what a participant may do with a token; tokens.go: the tokens; attach.go: files
//	agent.go         what an agent may do: accept, reject, complete
//	transcript.go    the file that is written when a segment has ended
//
// # Durable before visible
//
// An event is handed to Step, which gives a new State and Effects. State, new items and contact records are committed in
// one transaction; only then the state is taken over, items are sent to those who are connected, the ACD is told and
// whoever asked gets the answer. An event whose commit fails has not happened: the asker gets an error, and what has no
// asker (a deadline, an offer, the end of a flow) is tried again until it is stored. So the database always holds a whole
// conversation, and a process that is killed goes on from there. Typing is told and not kept.
//
// # Phases
//
//	Scheduled ──its time──▶ Flow                                   (tasks)
//	Waiting ──customer connects──▶ Flow ──queue──▶ Enqueueing ──▶ Queued ◀─────────────┐
//	                                ▲                  ▲             │ offer              │ missed, rejected
//	                                │                  │             ▼                    │
//	                                │                  │          Offered ────────────────┘
//	                                │   new segment    │             │ accepted
//	                                │                  │             ▼
//	                                └── (restart)      └── Remaining ◀── Talking: agent left, CustomerRemaining hook set
//
//	from anywhere: Ended
//
// One flow runs at a time. What happens, by phase ("-" nothing, "refused" an error to who asked):
//
//	event                 Waiting   Flow      Queued        Offered          Talking            Remaining
//	--------------------  --------  --------  ------------  ---------------  -----------------  -----------
//	customer connects     Flow      -         -             -                -                  -
//	message of customer   kept      to flow   to flow       to flow          to the others      to flow
//	customer leaves       Ended     Ended     Ended         Ended            Ended              Ended
//	flow asks for queue   refused   Queued    new segment   refused          refused            new segment
//	flow: disconnect      -         Ended     Ended         Ended            -                  Ended
//	flow ends otherwise   -         Ended     -             -                next whisper       Ended
//	offer                 left      left      Offered       left             left               left
//	accept                refused   refused   refused       Talking          refused            refused
//	reject, ring time     -         -         -             Queued           -                  -
//	agent leaves          -         -         -             -                Remaining, Ended   -
//	idle, disconnect time -         -         -             -                told; agent leaves -
//	customer never came   Ended     -         -             -                -                  -
//	duration is over      Ended     Ended     Ended         Ended            Ended              Ended
//
// A customer who queues again begins a new segment (a contact record of its own, initiation method DISCONNECT or
// QUEUE_TRANSFER); the chat, its participants and its tokens stay. The id of a chat is that of its first segment.
//
// # After a restart
//
// Open chats of this node are read and go on. Clients connect again with the tokens that they have. A flow begins again
// at its start (attributes that it has set stay; an answer that was typed ahead and not read yet is in the transcript,
// but is asked for again). Who was in a queue, or was being offered, is in line at the old place. Who talks with an
// agent still does: the ACD keeps the agent's slot. Deadlines that passed meanwhile are seen to at once.
//
// # Bounds
//
// A message has 1,024 characters (12,000 for JSON), a chat 35 attachments of 20 MB, ten thousand items, ten participants,
// five sockets a participant; a socket that does not keep up is closed and its client reads the transcript. A chat lasts
// 60 to 10,080 minutes.
package chat
