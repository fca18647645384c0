// Package attack holds tests of a whole server under attack: whatever strangers do, a
// legitimate client gets its mail. All of it is bounded and stays on loopback addresses.
package attack
