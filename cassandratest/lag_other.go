//go:build !linux

package cassandratest

import (
	"fmt"
	"os"
)

// openTUN fails: only Linux has these devices.
func openTUN(string) (*os.File, error) {
	return nil, fmt.Errorf("%w: a TUN device", ErrMissing)
}
