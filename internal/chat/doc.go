// Package chat will run chat contacts as package call runs voice contacts: one actor for each conversation, a pure step
// function, ports declared here. There is no code yet; this is the place.
package chat
