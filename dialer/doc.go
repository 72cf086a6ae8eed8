// Package dialer will place outbound voice campaigns: pacing, attempts, the outcome of answering-machine detection, the
// account of abandoned calls. There is no code yet; this is the place, and internal/arch says whom it may know.
//
// The design: Pace(stats, limits, now) is pure and says how many calls to place; an attempt is an actor whose row is
// durable before the INVITE leaves; nothing is dialled without a permit.Permit; an attempt whose fate is unknown is held
// and never dialled again by accident.
package dialer
