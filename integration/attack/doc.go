// Package attack holds tests of a whole server under attack: a legitimate client always gets its
// mail. The attacks are bounded and stay on loopback addresses.
package attack
