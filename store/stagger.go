package store

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// Stagger returns a pause that is up to a tenth shorter, at random, so that servers and jobs with the same pause
// do not run in step. The random numbers are those of crypto/rand, which a test can fix.
func Stagger(pause time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return pause - time.Duration(binary.LittleEndian.Uint64(b[:])%uint64(pause/10+1))
}
